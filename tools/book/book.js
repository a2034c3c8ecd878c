// SPDX-License-Identifier: GPL-2.0
// What a page of the book can do beyond being read: search, copy commands.
// Works from a folder, without a server. Without scripts all is there, too.
(function () {
	"use strict";

	var field = document.getElementById("search");
	var list = document.getElementById("found");
	var count = document.querySelector(".search .count");
	var details = document.querySelector("nav details");
	var MOST = 12, AROUND = 90;
	var sections, texts, chosen = -1;

	// On a phone, the contents open when they are asked for
	if (details && !window.matchMedia("(min-width: 70rem)").matches)
		details.open = false;

	function unpack(packed) {
		var bytes = Uint8Array.from(atob(packed), function (letter) {
			return letter.charCodeAt(0);
		});

		return new Response(new Blob([bytes]).stream().pipeThrough(
			new DecompressionStream("deflate-raw"))).text();
	}

	// The text of the book is some 200 kB: loaded when a reader wants to search
	function load(then) {
		var script;

		if (sections)
			return then();
		if (!window.DecompressionStream) {
			count.textContent = "This browser is too old to search here: " +
				"open book.html and use the browser's own search.";
			return;
		}
		script = document.createElement("script");
		script.src = "search-index.js";
		script.onload = function () {
			unpack(BOOK_INDEX.text).then(function (text) {
				sections = BOOK_INDEX.sections;
				texts = text.split("\n");
				then();
			});
		};
		script.onerror = function () {
			count.textContent = "search-index.js is missing";
		};
		document.head.appendChild(script);
	}

	function is_letter(text, at) {
		return at >= 0 && at < text.length && /[a-z0-9_]/.test(text[at]);
	}

	// The best place of a term in a text: a word, a word's beginning, a part
	function best_in(text, term) {
		var best = { weight: 0, at: -1 }, at, weight;

		for (at = text.indexOf(term); at >= 0 && best.weight < 4;
		     at = text.indexOf(term, at + 1)) {
			weight = is_letter(text, at - 1) ? 1 :
				is_letter(text, at + term.length) ? 2 : 4;
			if (weight > best.weight)
				best = { weight: weight, at: at };
		}
		return best;
	}

	// What a section is worth to whoever typed these terms; null without one
	function judge(number, terms, typed) {
		var section = sections[number];
		var text = texts[number].toLowerCase();
		var title = section[2].toLowerCase();
		var weight = section[4].indexOf(typed) >= 0 ? 256 : 0, at = -1;

		if (terms.length > 1 && text.indexOf(typed) >= 0)
			weight += 8;
		return terms.every(function (term) {
			var here = best_in(text, term), above = best_in(title, term);

			weight += Math.max(here.weight, 8 * above.weight);
			if (at < 0 && here.weight)
				at = here.at;
			return here.weight || above.weight;
		}) ? { number: number, weight: weight, at: at } : null;
	}

	// Sections that have all terms: what defines them first, then the best
	function search(text) {
		var typed = text.toLowerCase();
		var terms = typed.match(/[a-z0-9_]+/g) || [];

		if (!terms.length)
			return [];
		return sections.map(function (section, number) {
			return judge(number, terms, typed);
		}).filter(Boolean).sort(function (a, b) {
			return b.weight - a.weight || a.number - b.number;
		});
	}

	// The sentence around a place, or as much of it as there is room for
	function sentence(text, at) {
		var from = Math.max(text.lastIndexOf(". ", at) + 2, at - AROUND, 0);
		var to = text.indexOf(". ", at), cut = "";

		if (from === 1)
			from = 0;
		to = Math.min(to < 0 ? text.length : to + 1, at + AROUND);
		if (from > 0 && text.substr(from - 2, 2) !== ". ") {
			from = text.indexOf(" ", from) + 1;
			cut = "… ";
		}
		if (to < text.length && text[to - 1] !== ".")
			to = text.lastIndexOf(" ", to);
		return cut + text.slice(from, to) + (text[to - 1] === "." ? "" : " …");
	}

	// A text with the terms marked, as nodes: nothing that was typed is HTML
	function mark(parent, text, terms) {
		var pattern = new RegExp("(" + terms.join("|") + ")", "i");

		text.split(pattern).forEach(function (part, i) {
			if (i % 2)
				text_in(parent, "mark", "", part);
			else
				parent.appendChild(document.createTextNode(part));
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

	function show(found, typed) {
		var terms = typed.toLowerCase().match(/[a-z0-9_]+/g) || [];

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
			mark(text_in(link, "span", "lead", ""),
			     sentence(texts[hit.number], Math.max(hit.at, 0)), terms);
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
				show(search(text), text);
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

// What the glossary says of a term, where the term stands
(function () {
	"use strict";

	var note = document.createElement("div"), noted = null;

	function hide() {
		note.hidden = true;
		if (noted)
			noted.removeAttribute("aria-describedby");
		noted = null;
	}

	function show(link) {
		var place = link.getBoundingClientRect();

		hide();
		noted = link;
		note.textContent = link.meaning;
		note.hidden = false;
		link.setAttribute("aria-describedby", "term-note");
		note.style.left = Math.max(8, Math.min(place.left,
			document.documentElement.clientWidth - note.offsetWidth -
			8)) + window.scrollX + "px";
		note.style.top = place.bottom + 4 + window.scrollY + "px";
	}

	// A mouse shows it while it is there, Tab while the focus is, a finger
	// at the first touch; the second follows the link to the glossary.
	function mark(link) {
		link.addEventListener("mouseenter", function () { show(link); });
		link.addEventListener("mouseleave", hide);
		link.addEventListener("focus", function () { show(link); });
		link.addEventListener("blur", hide);
		link.addEventListener("touchend", function (event) {
			if (noted !== link || note.hidden) {
				event.preventDefault();
				show(link);
			}
		});
	}

	function pattern(names) {
		return names.map(function (name) {
			return name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
		}).sort(function (a, b) { return b.length - a.length; }).join("|");
	}

	// The first time that a term stands in the text of a page
	function mark_terms(terms) {
		var known = {}, names = [], words, walker, node, texts = [];

		terms.forEach(function (term) {
			term[0].forEach(function (name) {
				known[name.toLowerCase()] = term;
				names.push(name);
			});
		});
		words = new RegExp("(^|[^\\w-])(" + pattern(names) +
				   ")s?(?=[^\\w-]|$)", "i");
		walker = document.createTreeWalker(document.getElementById("text"),
			NodeFilter.SHOW_TEXT);
		while ((node = walker.nextNode()))
			if (node.parentElement.matches("p, li, p > em, li > em") &&
			    !node.parentElement.closest("a, nav, footer, table, " +
				"figure, figcaption, .road, .race, .answer, " +
				".subjects, #refs"))
				texts.push(node);
		texts.forEach(function (text) {
			var found, term, link, rest = text;

			while ((found = words.exec(rest.data))) {
				rest = rest.splitText(found.index + found[1].length);
				term = known[found[2].toLowerCase()];
				text = rest;
				rest = rest.splitText(found[0].length - found[1].length);
				if (!term || term.done ||
				    /[A-Z]/.test(term[0][0].slice(1)) &&
				    found[2] !== term[0][0])
					continue;
				term.done = true;
				link = document.createElement("a");
				link.className = "term";
				link.href = term[1];
				link.meaning = term[2];
				text.parentNode.replaceChild(link, text);
				link.appendChild(text);
				mark(link);
			}
		});
	}

	note.id = "term-note";
	note.setAttribute("role", "tooltip");
	hide();
	document.addEventListener("keydown", function (event) {
		if (event.key === "Escape")
			hide();
	});
	if (window.BOOK_TERMS && !/D-glossary/.test(location.pathname)) {
		document.getElementById("text").appendChild(note);
		mark_terms(window.BOOK_TERMS);
	}
})();
