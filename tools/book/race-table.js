// SPDX-License-Identifier: GPL-2.0
// Tables out of the rules in race.js, as Markdown, for the filter.
//
//	mujs race-table.js FOLDER schedule DESIGN STEPS	one interleaving
//	mujs race-table.js FOLDER summary		what each design does
//
// What cannot be is one sentence on standard output, and status 1.
load(scriptArgs[0] + "/race.js");

function fail(why) {
	print(why);
	quit(1);
}

function afterwards(s) {
	var d = Race.DESIGNS[s.design], text = [];

	if (d.count)
		text.push("count " + s.count);
	if (d.tables)
		text.push("records " + s.seen.count);
	if (d.sequence || d.tables)
		text.push("sequence " + s.sequence);
	text.push("CPU " + (s.seen.pte && d.tables ? s.seen.pte : s.pte || "–"));
	text.push("device " + (s.entry || "–"));
	return text.join(", ");
}

function schedule(design, steps) {
	var broken = [], lines = [], states;

	if (!Race.DESIGNS[design])
		fail("there is no design \"" + design + "\"; there are: " +
		     Race.ORDER.join(", "));
	if (!/^[PIM]+$/.test(steps))
		fail("steps=\"" + steps + "\": P, I and M are all there is");
	try {
		states = Race.play(design, steps);
	} catch (error) {
		fail("steps=\"" + steps + "\" is not possible in \"" + design +
		     "\": " + error.message);
	}
	lines.push("|   | populate | invalidate | afterwards |");
	lines.push("|---|----------|------------|------------|");
	states.slice(1).forEach(function (s, n) {
		var who = steps[n], text = s.text;

		s.broken.forEach(function (guarantee) {
			if (broken.indexOf(guarantee) < 0) {
				broken.push(guarantee);
				text += ": **" + guarantee + " is broken**";
			}
		});
		lines.push("| " + (n + 1) + " | " + (who === "P" ? text : "") +
			   " | " + (who === "P" ? "" : text) + " | " +
			   afterwards(s) + " |");
	});
	return lines.join("\n");
}

function summary() {
	var lines = ["| design | orders | break G1 | break G2 | " +
		     "for instance |",
		     "|--------|---|---|---|------|"];

	Race.ORDER.forEach(function (design) {
		var all = Race.all(design);
		var known = Race.PRESETS.filter(function (preset) {
			return preset.design === design && preset.breaks;
		}).map(function (preset) {
			return preset.breaks + ": `" + preset.steps + "`";
		});

		function n(guarantee) {
			return all.breaks[guarantee] ? all.breaks[guarantee].n : 0;
		}
		lines.push("| " + Race.DESIGNS[design].name + " | " + all.all +
			   " | " + n("G1") + " | " + n("G2") + " | " +
			   (known.join(", ") || "none of them") + " |");
	});
	return lines.join("\n");
}

if (scriptArgs[1] === "schedule")
	print(schedule(scriptArgs[2] || "", scriptArgs[3] || ""));
else
	print(summary());
