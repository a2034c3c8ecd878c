// SPDX-License-Identifier: GPL-2.0
// What a page of the book can do beyond being read: search, copy commands.
// Works from a folder, without a server. Without scripts all is there, too.
(function () {
	"use strict";

	var field = document.getElementById("search");
	var list = document.getElementById("found");
	var count = document.querySelector(".search .count");
	var details = document.querySelector("nav details");
	var MOST = 12;
	var sections, words, places, chosen = -1;

	// On a phone, the contents open when they are asked for
	if (details && !window.matchMedia("(min-width: 70rem)").matches)
		details.open = false;

	// The index is some 100 kB: loaded when somebody wants to search
	function load(then) {
		var script;

		if (sections)
			return then();
		script = document.createElement("script");
		script.src = "search-index.js";
		script.onload = function () {
			sections = BOOK_INDEX.sections;
			words = BOOK_INDEX.words.split(" ");
			places = BOOK_INDEX.places.split(" ");
			then();
		};
		script.onerror = function () {
			count.textContent = "search-index.js is missing";
		};
		document.head.appendChild(script);
	}

	// How well a word answers what was typed: all of it, its beginning, a part
	function fits(word, term) {
		var at = word.indexOf(term);

		if (at < 0)
			return 0;
		return word === term ? 4 : at === 0 ? 2 : 1;
	}

	// Section -> weight for one term
	function look(term) {
		var found = {}, i, at, weight;

		function add(number, weight) {
			found[number] = Math.max(found[number] || 0, weight);
		}
		for (i = 0; i < words.length; i++) {
			weight = fits(words[i], term);
			if (!weight)
				continue;
			at = 0;
			places[i].split(",").forEach(function (step) {
				at += parseInt(step, 36);
				add(at, weight);
			});
		}
		sections.forEach(function (section, number) {
			section[2].toLowerCase().split(/[^a-z0-9_]+/).forEach(
				function (word) {
					weight = fits(word, term);
					if (weight)
						add(number, 8 * weight);
				});
		});
		return found;
	}

	// Sections that have all terms, the best first
	function search(text) {
		var terms = text.toLowerCase().match(/[a-z0-9_]+/g) || [];
		var all = terms.map(look);

		if (!all.length)
			return [];
		return Object.keys(all[0]).filter(function (number) {
			return all.every(function (found) { return number in found; });
		}).map(function (number) {
			return { number: +number, weight: all.reduce(
				function (sum, found) { return sum + found[number]; },
				0) };
		}).sort(function (a, b) {
			return b.weight - a.weight || a.number - b.number;
		});
	}

	function text_in(parent, kind, name, text) {
		var element = document.createElement(kind);

		element.className = name;
		element.textContent = text;
		parent.appendChild(element);
		return element;
	}

	function close() {
		list.hidden = true;
		list.textContent = "";
		chosen = -1;
		field.setAttribute("aria-expanded", "false");
		field.removeAttribute("aria-activedescendant");
	}

	function show(found) {
		close();
		found.slice(0, MOST).forEach(function (hit, i) {
			var section = sections[hit.number];
			var item = document.createElement("li");
			var link = text_in(item, "a", "", "");

			item.id = "found-" + i;
			item.setAttribute("role", "option");
			link.href = section[0] + "#" + section[1];
			link.tabIndex = -1;
			text_in(link, "strong", "", section[2]);
			if (section[3])
				text_in(link, "span", "where", section[3]);
			text_in(link, "span", "lead", section[4]);
			list.appendChild(item);
		});
		list.hidden = !found.length;
		field.setAttribute("aria-expanded", String(!list.hidden));
		count.textContent = !found.length ? "Nothing found" :
			found.length > MOST ? MOST + " of " + found.length :
			found.length + " found";
		if (found.length)
			choose(0);
	}

	function choose(i) {
		var items = list.children;

		if (items[chosen])
			items[chosen].setAttribute("aria-selected", "false");
		chosen = (i + items.length) % items.length;
		items[chosen].setAttribute("aria-selected", "true");
		items[chosen].scrollIntoView({ block: "nearest" });
		field.setAttribute("aria-activedescendant", items[chosen].id);
	}

	function typed() {
		var text = field.value.trim();

		if (text.length < 2) {
			close();
			count.textContent = "";
			return;
		}
		load(function () {
			if (field.value.trim() === text)
				show(search(text));
		});
	}

	function key(event) {
		if (event.key === "Escape") {
			field.value = "";
			count.textContent = "";
			close();
		} else if (list.hidden) {
			return;
		} else if (event.key === "ArrowDown") {
			choose(chosen + 1);
		} else if (event.key === "ArrowUp") {
			choose(chosen - 1);
		} else {
			return;
		}
		event.preventDefault();
	}

	function go(event) {
		var item = list.children[chosen];

		event.preventDefault();
		if (item && !list.hidden) {
			location.href = item.firstChild.href;
			close();
		}
	}

	if (field) {
		field.addEventListener("input", typed);
		field.addEventListener("keydown", key);
		field.form.addEventListener("submit", go);
		list.addEventListener("click", function () {
			setTimeout(close, 0);
		});
		document.addEventListener("keydown", function (event) {
			var at = event.target;

			if (event.key === "/" && !event.ctrlKey && !event.metaKey &&
			    !event.altKey && !/^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName)) {
				event.preventDefault();
				field.focus();
				field.select();
			}
		});
	}

	// Commands are copied without prompts and without what they print
	Array.prototype.forEach.call(document.querySelectorAll("pre.console"),
		function (block) {
			var button = document.createElement("button");

			if (!navigator.clipboard)
				return;
			button.type = "button";
			button.className = "copy";
			button.textContent = "Copy";
			button.setAttribute("aria-label", "Copy the commands");
			button.addEventListener("click", function () {
				var typed = block.querySelectorAll("kbd");
				var text = Array.prototype.map.call(typed, function (kbd) {
					return kbd.textContent;
				}).join("\n");

				navigator.clipboard.writeText(text).then(function () {
					button.textContent = "Copied";
					setTimeout(function () {
						button.textContent = "Copy";
					}, 1500);
				});
			});
			block.parentNode.appendChild(button);
		});
})();
