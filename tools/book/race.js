// SPDX-License-Identifier: GPL-2.0
// The race between a populate and an invalidation of one address: the rules.
//
// One source for three readers: the page to play with (race-page.js), the
// tables in all forms of the book (race-table.js), and the test that goes
// through every interleaving (race-test.js). Old JavaScript, since the small
// interpreter of the build knows no other.
//
// P is the next step of the populate, I that of the invalidation, and M lets
// the stores that are under way arrive in memory. What a step is follows the C
// file: a section under a lock is one. model/*.pml look closer, and at more.
//
//	count		the count of 2008 alone
//	sequence	a sequence alone
//	both		variants/spinlock: both under one lock
//	record		variants/split-ptl: records, a sequence in each table, and
//			the barriers B and C. Taking a lock empties the queue of
//			stores of its CPU, as on x86; so A has nothing to do.
//	record-no-barriers	the same without B and C
var Race = (function () {
	"use strict";

	var DESIGNS = {
		"count": {
			name: "count alone",
			about: "as in 2008, but without the pte lock around it",
			count: true
		},
		"sequence": {
			name: "sequence alone",
			about: "is there one that has ended since?",
			sequence: true
		},
		"both": {
			name: "count and sequence",
			about: "variants/spinlock",
			count: true, sequence: true
		},
		"record": {
			name: "record, and a sequence per table",
			about: "variants/split-ptl, table not yet there",
			tables: true, barriers: true
		},
		"record-no-barriers": {
			name: "the same without barriers B and C",
			about: "stores may be seen late",
			tables: true
		}
	};

	var ORDER = ["count", "sequence", "both", "record", "record-no-barriers"];

	// Known schedules. "model" names the check of model/run whose shortest
	// counterexample this is.
	var PRESETS = [
		{ design: "count", steps: "PPIIIIIPP", breaks: "G2",
		  name: "all of it in the gap",
		  model: "spinlock G2 COUNTER_ONLY" },
		{ design: "sequence", steps: "PPIIPIIIP", breaks: "G1",
		  name: "the check while it runs",
		  model: "spinlock G1 SEQUENCE_ONLY" },
		{ design: "sequence", steps: "IIPPPIIIP", breaks: "G1",
		  name: "all of the populate inside" },
		{ design: "both", steps: "PPIIIIIPPPPP", breaks: "",
		  name: "all of it in the gap" },
		{ design: "both", steps: "PPIIPIIIPPPP", breaks: "",
		  name: "the check while it runs" },
		{ design: "record", steps: "PIIPPPIIIPPPP", breaks: "",
		  name: "the walk of start misses the table" },
		{ design: "record", steps: "PIIIIPPIP", breaks: "",
		  name: "the walk of end misses the table" },
		{ design: "record-no-barriers", steps: "PIIPPPIII", breaks: "G1",
		  name: "the record is seen late",
		  model: "split-ptl G1 NO_B+X86" },
		{ design: "record-no-barriers", steps: "PIIIIPPIP", breaks: "G2",
		  name: "the pte is seen late",
		  model: "split-ptl G2 NO_C+X86" }
	];

	function begin(design) {
		return {
			design: design,
			p: 0, i: 0,		// steps done, in this round
			rounds: 1,
			pte: "P",		// as the VM has it: P, or nothing
			ptes: 1,		// what holds the page: pte, references
			references: 0,
			freed: false,
			entry: "",		// the device's
			looked: null,		// what the populate has found
			snapshot: null,
			count: 0, sequence: 0,
			quiet: false,		// start has returned, end not called
			// Tables: what is in memory, and what is under way to it
			table: false, tableMade: false,
			seen: { table: false, count: 0, pte: "P" },
			queueP: [], queueI: [],
			broken: [],
			inserted: false
		};
	}

	function copy(state) {
		return JSON.parse(JSON.stringify(state));
	}

	function drain(state, queue) {
		queue.forEach(function (store) {
			state.seen[store[0]] = store[1];
		});
		queue.length = 0;
	}

	function store(state, queue, what, value) {
		queue.push([what, value]);
	}

	function page(name) {
		return name || "no page";
	}

	// The page goes when neither the CPU nor the populate holds it
	function release(state) {
		if (!state.ptes && !state.references)
			state.freed = true;
	}

	function insert(state, text) {
		if (state.looked) {
			state.entry = state.looked;
			state.inserted = true;
			return text + "enter A → " + state.looked;
		}
		return text + "there is no page to enter";
	}

	function again(state, why) {
		state.p = -1;			// its next step is the first
		state.rounds++;
		state.looked = null;
		state.snapshot = null;
		if (state.references) {
			state.references = 0;
			release(state);
		}
		return why + ": drop the page, try again";
	}

	// --- one lock: what each step is, and does -----------------------------

	var ONE_LOCK = {
		P: [
			function note(s, d) {
				s.snapshot = s.sequence;
				return (d.count ? "count is 0: go on" : "go on") +
					(d.sequence ? "; note sequence " + s.sequence : "");
			},
			function look(s) {
				s.looked = s.pte;
				s.references = s.pte ? 1 : 0;
				return "look: A is " + page(s.pte) +
					(s.pte ? "; take a reference" : "");
			},
			function enter(s, d) {
				if (d.sequence && s.sequence !== s.snapshot)
					return again(s, "the sequence has moved");
				if (d.count && s.count)
					return again(s, "count is " + s.count);
				return insert(s, d.count && d.sequence ?
					"count 0, sequence unchanged: " : d.count ?
					"count is 0: " : "sequence unchanged: ");
			},
			function drop(s) {
				s.references = 0;
				release(s);
				return "drop the reference" +
					(s.freed ? ": page P is freed" : "");
			}
		],
		I: [
			function start(s, d) {
				s.count++;
				return d.count ? "start: count = " + s.count : "start";
			},
			function zap(s) {
				var old = s.entry;

				s.entry = "";
				s.quiet = true;
				return old ? "zap the entry; start returns" :
					"nothing to zap; start returns";
			},
			function clear(s) {
				s.pte = "";
				return "the VM clears the pte";
			},
			function free(s) {
				s.ptes = 0;
				release(s);
				return "the VM drops the page" +
					(s.freed ? ": it is freed" : "");
			},
			function end(s, d) {
				var text = [];

				s.quiet = false;
				s.count--;
				s.sequence++;
				if (d.sequence)
					text.push("sequence = " + s.sequence);
				if (d.count)
					text.push("count = " + s.count);
				return "end: " + text.join(", ");
			}
		]
	};

	var NEXT_ONE_LOCK = {
		P: ["look at count, note sequence", "look the page up",
		    "check, and enter the page", "drop the reference"],
		I: ["start: say that it runs", "zap the device's entry",
		    "the VM clears the pte", "the VM drops the page",
		    "end: say that it has run"]
	};

	// --- a lock in each table ----------------------------------------------

	var TABLES = {
		P: [
			function make(s) {
				if (s.tableMade)
					return "table T is there; no record";
				s.tableMade = true;
				store(s, s.queueP, "table", true);
				return "make table T; no record is seen";
			},
			function pin(s) {
				drain(s, s.queueP);
				s.snapshot = s.sequence;
				return "lock T, pin it, note sequence " + s.sequence;
			},
			function look(s) {
				s.looked = s.seen.pte;
				s.references = s.looked && !s.freed ? 1 : 0;
				return "look: A is " + page(s.looked);
			},
			function enter(s) {
				var text;

				if (s.sequence !== s.snapshot)
					return again(s, "T's sequence has moved");
				if (s.seen.count)
					return again(s, "a record is seen");
				text = insert(s, "no record, sequence unchanged: ");
				s.references = 0;
				release(s);
				return text;
			}
		],
		I: [
			function start(s, d) {
				s.count++;
				store(s, s.queueI, "count", s.count);
				if (d.barriers)
					drain(s, s.queueI);
				return "start: record it" + (d.barriers ? "; barrier B" :
					" (not seen yet)");
			},
			function zap(s) {
				var old = s.entry;

				s.quiet = true;
				if (!s.seen.table)
					return "zap: no table is seen; start returns";
				drain(s, s.queueI);
				s.entry = "";
				return (old ? "lock T, zap the entry" :
					"lock T, nothing to zap") + "; start returns";
			},
			function clear(s, d) {
				drain(s, s.queueI);
				s.pte = "";
				store(s, s.queueI, "pte", "");
				s.ptes = 0;
				release(s);
				return "the VM clears the pte" +
					(d.barriers ? "" : " (not seen yet)") +
					", drops the page";
			},
			function move(s, d) {
				s.quiet = false;
				if (d.barriers)
					drain(s, s.queueI);
				if (!s.seen.table)
					return "end: " + (d.barriers ? "barrier C; " : "") +
						"no table is seen";
				drain(s, s.queueI);
				s.sequence++;
				return "end: " + (d.barriers ? "barrier C; " : "") +
					"T's sequence = " + s.sequence;
			},
			function end(s) {
				s.count--;
				store(s, s.queueI, "count", s.count);
				drain(s, s.queueI);
				return "remove the record";
			}
		]
	};

	var NEXT_TABLES = {
		P: ["make table T, look at the record", "pin T, note its sequence",
		    "look the page up", "check, and enter the page"],
		I: ["start: record the range", "zap what is in the tables",
		    "the VM clears the pte", "end: move sequences of the tables",
		    "end: remove the record"]
	};

	function steps(state) {
		return DESIGNS[state.design].tables ? TABLES : ONE_LOCK;
	}

	// --- what may happen, and what it comes to -------------------------------

	// Why a step cannot be taken now; an empty string when it can
	function blocked(state, who) {
		var d = DESIGNS[state.design];

		if (who === "M")
			return state.queueP.length + state.queueI.length ? "" :
				"no store is under way";
		if (who === "I")
			return state.i < steps(state).I.length ? "" : "it has ended";
		if (state.p >= steps(state).P.length)
			return "it has ended";
		if (state.p === 0 &&
		    (d.count ? state.count : d.tables && state.seen.count))
			return "it sleeps: an invalidation is running";
		return "";
	}

	// What the next step would be
	function next(state, who) {
		var names = DESIGNS[state.design].tables ? NEXT_TABLES :
			NEXT_ONE_LOCK;

		if (who === "M")
			return "stores arrive in memory";
		return names[who][who === "P" ? state.p : state.i] || "";
	}

	function judge(state) {
		var reach = state.entry &&
			(!DESIGNS[state.design].tables || state.seen.table);

		function breaks(guarantee) {
			if (state.broken.indexOf(guarantee) < 0)
				state.broken.push(guarantee);
		}
		if (reach && state.quiet)
			breaks("G1");
		if (reach && state.entry !== state.pte && !state.quiet)
			breaks("G2");
	}

	// Take a step: returns the state after it, with its text
	function step(before, who) {
		var state = copy(before);
		var d = DESIGNS[state.design];

		if (blocked(state, who))
			throw new Error(who + ": " + blocked(state, who));
		if (who === "M") {
			drain(state, state.queueP);
			drain(state, state.queueI);
			state.text = "(stores arrive in memory)";
		} else if (who === "P") {
			state.text = steps(state).P[state.p](state, d);
			state.p++;
		} else {
			state.text = steps(state).I[state.i](state, d);
			state.i++;
		}
		judge(state);
		return state;
	}

	function done(state) {
		return state.p >= steps(state).P.length &&
			state.i >= steps(state).I.length;
	}

	// Take a whole schedule: all states, the first before any step
	function play(design, schedule) {
		var states = [begin(design)];

		schedule.split("").forEach(function (who) {
			states.push(step(states[states.length - 1], who));
		});
		return states;
	}

	// The same order of P, I and M in another design, as far as it is possible
	// there; what is left is finished, the invalidation first
	function follow(design, schedule) {
		var state = begin(design);

		function take(who) {
			if (blocked(state, who))
				return false;
			state = step(state, who);
			return true;
		}
		schedule.split("").forEach(take);
		while (!done(state) && (take("I") || take("P")))
			;
		return state;
	}

	// Go through every interleaving: how many there are, how many break what,
	// and the shortest that does
	function all(design) {
		var sum = { all: 0, broken: 0, breaks: {}, retries: 0 };

		function go(state, schedule) {
			if (done(state)) {
				sum.all++;
				if (state.rounds > 1)
					sum.retries++;
				if (state.broken.length)
					sum.broken++;
				state.broken.forEach(function (guarantee) {
					var known = sum.breaks[guarantee];

					if (!known)
						known = sum.breaks[guarantee] = { n: 0, shortest: schedule };
					known.n++;
					if (schedule.length < known.shortest.length)
						known.shortest = schedule;
				});
				return;
			}
			["P", "I", "M"].forEach(function (who) {
				if (!blocked(state, who))
					go(step(state, who), schedule + who);
			});
		}
		go(begin(design), "");
		return sum;
	}

	var GUARANTEES = {
		G1: "the device can use the old translation after " +
		    "invalidate_range_start has returned",
		G2: "the device has a page that the CPU no longer has, and no later " +
		    "invalidation will take it away"
	};

	return { DESIGNS: DESIGNS, ORDER: ORDER, PRESETS: PRESETS, GUARANTEES: GUARANTEES,
		 begin: begin, step: step, next: next, blocked: blocked,
		 done: done, play: play, follow: follow, all: all };
})();
