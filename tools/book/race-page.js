// SPDX-License-Identifier: GPL-2.0
// The race to play with: buttons and keys around the rules of race.js. The
// table below it, which is there without scripts, is made by race-table.js.
(function () {
	"use strict";

	var ACTORS = { P: "populate", I: "invalidate", M: "memory" };
	var box = document.querySelector(".race");
	var schedule = "", design = "count", states = [], parts = {};

	if (!box)
		return;

	function make(kind, parent, attributes, text) {
		var element = document.createElement(kind);

		Object.keys(attributes || {}).forEach(function (name) {
			element.setAttribute(name, attributes[name]);
		});
		if (text !== undefined)
			element.textContent = text;
		parent.appendChild(element);
		return element;
	}

	function button(parent, name, text, act) {
		var element = make("button", parent, { type: "button",
						       "class": name }, text);

		element.addEventListener("click", act);
		return element;
	}

	function now() {
		return states[states.length - 1];
	}

	// --- what the reader can do ----------------------------------------------

	function choose(name) {
		design = name;
		restart();
	}

	function restart() {
		schedule = "";
		states = [Race.begin(design)];
		draw("From the start.");
	}

	function take(who) {
		var why = Race.blocked(now(), who), s;

		if (why)
			return draw(ACTORS[who] + " cannot go on: " + why);
		s = Race.step(now(), who);
		states.push(s);
		schedule += who;
		draw(ACTORS[who] + ": " + s.text);
	}

	function undo() {
		if (!schedule)
			return;
		schedule = schedule.slice(0, -1);
		states.pop();
		draw("One step back.");
	}

	function preset(known) {
		design = known.design;
		schedule = known.steps;
		states = Race.play(design, schedule);
		draw("Shown: " + known.name + ".");
	}

	// --- what is seen ---------------------------------------------------------

	function draw_choices() {
		Race.ORDER.forEach(function (name) {
			parts.radios[name].checked = name === design;
		});
		parts.about.textContent = Race.DESIGNS[design].about;
		["P", "I", "M"].forEach(function (who) {
			var why = Race.blocked(now(), who);
			var element = parts.buttons[who];

			element.lastChild.textContent = why || Race.next(now(), who);
			element.setAttribute("aria-disabled", String(Boolean(why)));
		});
		parts.buttons.M.hidden = !Race.DESIGNS[design].tables;
		parts.undo.setAttribute("aria-disabled", String(!schedule));
	}

	function draw_steps() {
		var told = [];

		parts.steps.textContent = "";
		states.slice(1).forEach(function (s, n) {
			var row = make("tr", parts.steps);
			var who = schedule[n], text = s.text;

			make("td", row, {}, String(n + 1));
			s.broken.forEach(function (guarantee) {
				if (told.indexOf(guarantee) < 0) {
					told.push(guarantee);
					text += " — " + guarantee + " is broken";
					row.className = "broken";
				}
			});
			make("td", row, {}, who === "P" ? text : "");
			make("td", row, {}, who === "P" ? "" : text);
		});
	}

	function draw_state() {
		var s = now(), d = Race.DESIGNS[design];
		var facts = [
			["CPU: A is", s.pte || "no page"],
			["seen by others", d.tables ? s.seen.pte || "no page" : null],
			["device: A is", s.entry || "no entry"],
			["page P", s.freed ? "freed: somebody else's" :
			 s.pte ? "in use" : "held by the populate's reference"],
			["count", d.count ? s.count : null],
			["records", d.tables ? s.count + (s.seen.count !== s.count ?
				" (seen: " + s.seen.count + ")" : "") : null],
			["table T", d.tables ? (s.seen.table ? "there" :
				s.tableMade ? "made, not seen yet" : "missing") : null],
			["sequence", d.sequence || d.tables ? s.sequence : null],
			["noted sequence", d.sequence || d.tables ?
				(s.snapshot === null ? "–" : s.snapshot) : null]
		];

		parts.state.textContent = "";
		facts.forEach(function (fact) {
			var pair;

			if (fact[1] === null)
				return;
			pair = make("div", parts.state);
			make("dt", pair, {}, fact[0]);
			make("dd", pair, {}, String(fact[1]));
		});
	}

	// Designs whose steps are these, under the same schedule
	function draw_others() {
		parts.others.textContent = "";
		if (!Race.done(now()))
			return;
		make("p", parts.others, {}, "The same order of steps, with");
		parts.list = make("ul", parts.others);
		Race.ORDER.forEach(function (name) {
			var d = Race.DESIGNS[name], s;

			if (!d.tables !== !Race.DESIGNS[design].tables ||
			    name === design)
				return;
			s = Race.follow(name, schedule);
			make("li", parts.list, {}, d.name + ": " +
			     (s.broken.length ? s.broken.join(" and ") + " broken" :
			      "survives"));
		});
	}

	function verdict() {
		var s = now();

		if (s.broken.length)
			return s.broken.map(function (guarantee) {
				return guarantee + " is broken: " +
					Race.GUARANTEES[guarantee] + ".";
			}).join(" ");
		if (Race.done(s))
			return "It survives: " + (s.entry ?
				"the device has what the CPU has." :
				"the device has nothing that the CPU has not.");
		return "";
	}

	function draw(said) {
		var text = verdict();

		draw_choices();
		draw_steps();
		draw_state();
		draw_others();
		parts.verdict.textContent = text;
		parts.verdict.className = "verdict" + (now().broken.length ?
			" broken" : text ? " held" : "");
		parts.live.textContent = said + (text ? " " + text : "");
	}

	// --- building it ----------------------------------------------------------

	function build_designs() {
		var set = make("fieldset", box, { "class": "designs" });

		make("legend", set, {}, "Who says no to a populate?");
		parts.radios = {};
		Race.ORDER.forEach(function (name) {
			var label = make("label", set);
			var radio = make("input", label, {
				type: "radio", name: "race-design", value: name });

			label.appendChild(document.createTextNode(
				Race.DESIGNS[name].name));
			radio.addEventListener("change", function () {
				choose(name);
			});
			parts.radios[name] = radio;
		});
		parts.about = make("p", set, { "class": "about" });
	}

	function build_buttons() {
		var row = make("div", box, { "class": "moves" });

		parts.buttons = {};
		["P", "I", "M"].forEach(function (who) {
			var element = button(row, "move " + who, "", function () {
				take(who);
			});

			make("kbd", element, {}, who.toLowerCase());
			element.appendChild(document.createTextNode(" "));
			make("strong", element, {}, ACTORS[who]);
			make("span", element);
			parts.buttons[who] = element;
		});
		row = make("div", box, { "class": "tools" });
		parts.undo = button(row, "", "Back (u)", undo);
		button(row, "", "Restart (r)", restart);
	}

	function build_presets() {
		var row = make("div", box, { "class": "presets", role: "group",
			"aria-label": "Known schedules" });

		make("p", row, {}, "Known schedules:");
		Race.PRESETS.forEach(function (known) {
			button(row, "", Race.DESIGNS[known.design].name + ": " +
			       known.name, function () {
				preset(known);
			});
		});
	}

	function build_board() {
		var board = make("div", box, { "class": "board" });
		var table = make("table", make("div", board, { "class": "scroll" }));
		var row = make("tr", make("thead", table));

		make("caption", table, { "class": "hidden" },
		     "The steps that have been taken");
		["", "populate of address A", "invalidation of A"].forEach(
			function (text) {
				make(text ? "th" : "td", row,
				     text ? { scope: "col" } : {}, text);
			});
		parts.steps = make("tbody", table);
		parts.state = make("dl", board, { "class": "state" });
		parts.verdict = make("p", box, { "class": "verdict" });
		parts.others = make("div", box, { "class": "others" });
		parts.live = make("p", box, { "class": "hidden", role: "status",
					      "aria-live": "polite" });
	}

	function key(event) {
		var act = { p: function () { take("P"); },
			    i: function () { take("I"); },
			    m: function () { take("M"); },
			    u: undo, r: restart }[event.key.toLowerCase()];

		if (!act || event.ctrlKey || event.altKey || event.metaKey)
			return;
		event.preventDefault();
		act();
	}

	box.setAttribute("role", "group");
	box.setAttribute("aria-label", "The race, step by step");
	make("p", box, { "class": "how" }, "Choose whose step comes next: the " +
	     "buttons, or the keys p, i and m (u takes one back, r restarts).");
	build_designs();
	build_buttons();
	build_board();
	build_presets();
	box.tabIndex = 0;
	box.addEventListener("keydown", key);
	restart();
})();
