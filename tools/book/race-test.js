// SPDX-License-Identifier: GPL-2.0
// Do the rules in race.js say what the book and the models say?
//
//	mujs race-test.js FOLDER CHECKS [TRACE...]
//						CHECKS: file with model/run's checks;
//						TRACE: counterexamples it has found
//	mujs race-test.js FOLDER counts		what all interleavings come to, as
//						JSON, for the browser to agree with
//
// Goes through every interleaving of every design. Prints what is wrong, and
// ends with status 1.
load(scriptArgs[0] + "/race.js");

if (scriptArgs[1] === "counts") {
	print(JSON.stringify(Race.ORDER.reduce(function (sums, design) {
		sums[design] = Race.all(design);
		return sums;
	}, {})));
	quit(0);
}

var checks = read(scriptArgs[1]), failed = 0, tested = 0;
var traces = read_traces(scriptArgs.slice(2));

function expect(what, is, wanted) {
	tested++;
	if (JSON.stringify(is) !== JSON.stringify(wanted)) {
		failed++;
		print(what + ": " + JSON.stringify(is) + ", not " +
		      JSON.stringify(wanted));
	}
}

function broken(design) {
	return Object.keys(Race.all(design).breaks).sort();
}

// What each design loses over all interleavings
expect("count alone", broken("count"), ["G2"]);
expect("sequence alone", broken("sequence"), ["G1", "G2"]);
expect("count and sequence", broken("both"), []);
expect("record with barriers", broken("record"), []);
expect("record without", broken("record-no-barriers"), ["G1", "G2"]);

// A design that loses does not always lose, or nobody would have fallen for it
["count", "sequence", "record-no-barriers"].forEach(function (design) {
	var all = Race.all(design);

	expect(design + " survives some", all.broken < all.all, true);
});

// Nobody sleeps for ever: while one has not ended, one can take a step
Race.ORDER.forEach(function (design) {
	(function go(state) {
		var able = ["P", "I", "M"].filter(function (who) {
			return !Race.blocked(state, who);
		});

		if (!Race.done(state) && !able.length)
			expect(design + " stands still", state, "");
		if (!Race.done(state))
			able.forEach(function (who) { go(Race.step(state, who)); });
	})(Race.begin(design));
});

// The known schedules, and the model checks that found the same
Race.PRESETS.forEach(function (preset) {
	var states = Race.play(preset.design, preset.steps);
	var last = states[states.length - 1];
	var what = preset.design + " " + preset.steps;

	expect(what + " ends", Race.done(last), true);
	expect(what, last.broken[0] || "", preset.breaks);
	if (!preset.model)
		return;
	expect(what + ": model/run expects a counterexample in " + preset.model,
	       checks.split("\n").some(function (line) {
		var word = line.replace(/^\s+/, "").split(/\s+/);

		return word[2] === "counterexample" &&
			[word[0], word[3], word[4]].join(" ") === preset.model;
	}), true);
	if (traces[preset.model])
		expect(what + ": turns, up to where it breaks, as spin has them",
		       turns(until_broken(preset, states)), traces[preset.model]);
});

// Whose turns follow each other: PPIIIP is PIP
function turns(steps) {
	return steps.replace(/M/g, "").replace(/(.)\1+/g, "$1");
}

function until_broken(preset, states) {
	var last = 0;

	while (!states[last].broken.length)
		last++;
	return preset.steps.slice(0, last);
}

// A trace of model/run: populate to the left, invalidate to the right; what is
// in parentheses is done by the memory, and "!!" is the verdict. race.js knows
// no struct page: a look at it changes nothing there and is no turn.
function read_traces(paths) {
	var found = {};

	paths.forEach(function (path) {
		var lines = read(path).split("\n");
		var title = /^(\S+)\.pml, (\S+): counterexample to (\S+)/.exec(lines[0]);

		found[[title[1], title[3], title[2]].join(" ")] = turns(
			lines.slice(4).filter(function (line) {
				return /^ *[^ (!]/.test(line) &&
					!/look at the struct page/.test(line);
			}).map(function (line) {
				return line[0] === " " ? "I" : "P";
			}).join(""));
	});
	return found;
}

print("race-test: " + (tested - failed) + " passed, " + failed + " failed");
if (failed)
	quit(1);
