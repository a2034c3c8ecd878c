/* SPDX-License-Identifier: GPL-2.0 */
/*
 * spinlock.pml - variants/spinlock/my_mmu.c as a model for spin: can a populate
 * and an invalidation pass each other by?
 *
 * Read it beside the C: functions have the same names, and come in the same
 * order as far as Promela allows. model/run checks it; README.md says how.
 *
 * What is small here
 *	A leaf table has one slot, so "slot", "table" and "page of the address
 *	space" are one number, 0 to SLOTS - 1, and a batch is one page. Pages
 *	of memory are numbered per slot: 1 is what is mapped there first, 2 what
 *	is mapped there after the VM has changed it once, and so on. The
 *	populates are all of slot 0; the invalidations are of any range, with or
 *	without MMU_NOTIFY_UNMAP, and there are a few of them (but see STORM).
 *
 * What is one step here
 *	A section under m->lock (LOCKED): nobody reads or writes what the lock
 *	protects without it, so nobody can tell. Where the device, or a mutant,
 *	has the lock for longer than a step, LOCKED waits.
 *
 * What is left out
 *	The reverse index and the rmap chain, permissions, aging, attach,
 *	signals. Memory is sequentially consistent: all that counts is read
 *	and written under m->lock, or in the wait queue, which has barriers of
 *	its own. split-ptl.pml is about memory that is not.
 *
 * What is checked (WATCH is a sum of these)
 *	G1	once start has returned, the device uses no translation of the
 *		range, and none is made, until the matching end is called
 *	G2	an entry that is made names the page that the CPU's names now,
 *		so never one that the VM has freed
 *	G5	a table is freed once, no populate touches one that is gone, and
 *		after release nothing is mapped
 *	TOUCH	a populate looks at a struct page only while the page cannot be
 *		freed: the CPU's page table names it (driver/lookup.c takes no
 *		reference), or the lookup has a reference on it (HELD)
 *	PROGRESS  a populate takes one turn, and at most 4 more for each
 *		invalidation and release, times the number of populates; and
 *		(no invalid end state, as spin calls it) none sleeps for ever
 *
 * How to break it on purpose, by -D. model/run knows what each breaks.
 *	COUNTER_ONLY	populate_end does not compare the sequence (as in 2008)
 *	SEQUENCE_ONLY	populate_end does not look at the count
 *	SEQUENCE_LATE	end drops the count first, and the lock in between
 *	LOOKUP_FIRST	the page is looked up before the sequence is taken
 *	TOUCH_EARLY	the struct page is looked at as soon as it is known, before
 *			the lock
 *	COUNT_LATE	start zaps first and counts then
 *	HULL_REPLACED	the hull is that of the last start, not of all
 *	ZAP_UNLOCKED	zap_range does not take the lock
 *	PINS_IGNORED	a table goes although a populate has it pinned
 *	DEAD_UNCHECKED	populate_end does not look at dead
 *	DEAD_LATE	release zaps first and says dead then
 *	NO_WAKE		end wakes nobody
 *	WAKE_EARLY	end wakes before it drops the count
 *	RELEASE_SILENT	release wakes nobody
 * And what does no harm:
 *	TOUCH_EARLY HELD  with a reference, as get_user_pages_fast() takes it
 *	PIN_UNCHECKED	pin_table does not look at the count (populate_end
 *			does): some lookups are made in vain, no more
 *	SEQUENCE_START	start moves the sequence, not end. Even populate_end's
 *			look at the count could then go (SEQUENCE_ONLY), since
 *			pin_table has looked. In split-ptl neither would do.
 */
#define G1		1
#define G2		2
#define G5		4
#define PROGRESS	8
#define TOUCH		16

#ifndef WATCH
#define WATCH		31
#endif
#ifndef SLOTS
#define SLOTS		2
#endif
#ifndef POPULATES
#define POPULATES	1
#endif
#ifndef INVALIDATES
#define INVALIDATES	2
#endif
#ifndef RELEASES
#define RELEASES	0
#endif

#define LOCKED		atomic { m_lock == 0 ->

#define BROKEN(property, text) \
	if \
	:: WATCH & property -> \
		printf(text, _pid); \
		assert(!(WATCH & property)) \
	:: else \
	fi

/* What a mutant changes, where it is a condition */
#ifdef COUNTER_ONLY
#define has_ended(seq)		false
#else
#define has_ended(seq)		(invalidate_seq != seq)
#endif
#ifdef SEQUENCE_ONLY
#define is_running(slot)	false
#else
#define is_running(slot)	__my_mmu_is_invalidating(slot)
#endif
#ifdef PIN_UNCHECKED
#define is_running_at_pin(slot)	false
#else
#define is_running_at_pin(slot)	__my_mmu_is_invalidating(slot)
#endif
#ifdef DEAD_UNCHECKED
#define is_dead			false
#else
#define is_dead			dead
#endif
#ifdef PINS_IGNORED
#define is_pinned(slot)		false
#else
#define is_pinned(slot)		pins[slot]
#endif
#ifdef HELD
#define is_freed(slot)		false
#else
#define is_freed(slot)		(page != pte[slot])
#endif
#ifdef HULL_REPLACED
#define is_first		true
#else
#define is_first		(!invalidates)
#endif
#if defined(STORM) || defined(PIN_UNCHECKED)
#define next(x)			((x + 1) % 4)
#else
#define next(x)			(x + 1)
#endif

mtype = { OK, EAGAIN, ESRCH };

/* The CPU's page table, which is the VM's */
byte pte[SLOTS] = 1;

/* struct my_mmu and its device page table: m->lock protects all of it */
byte m_lock;			/* who holds it, or 0 */
bool tree[SLOTS];		/* is there a leaf table? */
byte entry[SLOTS];		/* t->entry[]: page, or 0 */
byte pins[SLOTS];		/* t->pins */
byte freed[SLOTS];		/* tables freed: tells a new one from an old */
byte invalidates;
byte invalidate_seq;
byte hull_start, hull_end;
bool dead;

bool queued[POPULATES];		/* m->wait: who sleeps */

/* What only the properties know */
byte quiet[SLOTS];		/* invalidations between start and end */
bool released;			/* release has returned */
bool calm;			/* invalidations have stopped */
bool finished;			/* a populate has ended */

/* Skipped by wq_has_sleeper() when nobody sleeps: this saves time only */
inline wake_up_all()
{
	d_step {
		for (n : 0 .. POPULATES - 1) {
			queued[n] = false
		}
		n = 0
	}
}

/* In two steps, for ZAP_UNLOCKED. */
inline my_mmu_zap_slot(slot)
{
	page = entry[slot];
	if
	:: page ->
		atomic {
			entry[slot] = 0;
			printf("%d|zap slot %d: page %d\n", _pid, slot, page);
			page = 0
		}
	:: else
	fi
}

inline __my_mmu_table_remove(slot)
{
	d_step {
		printf("%d|free the table of slot %d\n", _pid, slot);
		if
		:: !tree[slot] ->
			BROKEN(G5, "%d|!! G5: a table is freed twice\n")
		:: else
		fi;
		tree[slot] = false;
		freed[slot] = next(freed[slot])
	}
}

/* LOCKED for each table, since cond_resched_lock() may let others in. */
inline my_mmu_zap_range(start, end, free)
{
	slot = start;
	do
	:: slot < end ->
#ifndef ZAP_UNLOCKED
		LOCKED
#endif
		if
		:: tree[slot] ->
			my_mmu_zap_slot(slot);
			if
			:: free && !entry[slot] && !is_pinned(slot) ->
				__my_mmu_table_remove(slot)
			:: else
			fi
		:: else
		fi;
#ifndef ZAP_UNLOCKED
		}
#endif
		slot++
	:: else -> break
	od;
	slot = 0
}

inline inc_active(start, end)
{
	LOCKED
		if
		:: is_first ->
			hull_start = start;
			hull_end = end
		:: else ->
			hull_start = (start < hull_start -> start : hull_start);
			hull_end = (end > hull_end -> end : hull_end)
		fi;
		invalidates++;
#ifdef SEQUENCE_START
		invalidate_seq++;
#endif
		printf("%d|start [%d, %d): count is %d\n", _pid, start, end,
		       invalidates)
	}
}

inline dec_active()
{
#ifdef WAKE_EARLY
	wake_up_all();
#endif
#ifdef SEQUENCE_LATE
	LOCKED
		invalidates--;
		printf("%d|end: count is %d\n", _pid, invalidates)
	}
	LOCKED
		invalidate_seq++;
		printf("%d|end: sequence is %d\n", _pid, invalidate_seq)
	}
#else
	LOCKED
#ifndef SEQUENCE_START
		invalidate_seq = next(invalidate_seq);
#endif
		invalidates--;
		/* The hull counts for nothing now: make such states equal */
		if
		:: !invalidates -> hull_start = 0; hull_end = 0
		:: else
		fi;
		printf("%d|end: sequence is %d, count is %d\n", _pid,
		       invalidate_seq, invalidates)
	}
#endif
#if !defined(NO_WAKE) && !defined(WAKE_EARLY)
	wake_up_all()
#endif
}

#define __my_mmu_is_invalidating(slot) \
	(invalidates && slot < hull_end && slot + 1 > hull_start)

/*
 * my_mmu_invalidate_range_start(), a change of ptes, and
 * my_mmu_invalidate_range_end(). Release makes the VM forget the notifier:
 * later calls do not come, and an end can be missing.
 */
proctype invalidate(byte start, end; bool free)
{
	byte slot, page, n;

again:
#if RELEASES
	if
	:: released -> goto out
	:: true
	fi;
#endif
#ifdef COUNT_LATE
	my_mmu_zap_range(start, end, free);
	inc_active(start, end);
#else
	inc_active(start, end);
	my_mmu_zap_range(start, end, free);
#endif
	d_step {
		for (slot : start .. end - 1) {
			quiet[slot]++
		}
		slot = 0;
		printf("%d|start returns\n", _pid)
	}

	/* The VM */
	slot = start;
	do
	:: slot < end ->
		atomic {
			printf("%d|the VM frees page %d of slot %d\n", _pid,
			       pte[slot], slot);
#ifdef STORM
			pte[slot] = 3 - pte[slot];
#else
			pte[slot]++;
#endif
			slot++
		}
	:: else -> break
	od;

	atomic {
		for (slot : start .. end - 1) {
			quiet[slot]--
		}
		slot = 0
	}
#if RELEASES
	if
	:: released -> goto out
	:: true
	fi;
#endif
	dec_active();
#ifdef STORM
	if
	:: goto again
	:: calm = true
	fi;
#endif
out:
	skip
}

/*
 * my_mmu_walk() with access_entry() of driver/engine.c: one access, at any
 * time. The device uses the page while the lock is held.
 */
proctype device()
{
	byte page;

end:	/* it may find nothing, for ever */
	atomic {
		m_lock == 0 && entry[0] -> m_lock = _pid;
		page = entry[0];
		printf("%d|the device finds page %d\n", _pid, page)
	}
	d_step {
		printf("%d|the device uses page %d\n", _pid, page);
		if
		:: quiet[0] ->
			BROKEN(G1, "%d|!! G1: through an old translation\n")
		:: else
		fi;
		if
		:: page != pte[0] ->
			BROKEN(G2, "%d|!! G2: that page is another's by now\n")
		:: else
		fi;
		if
		:: released ->
			BROKEN(G5, "%d|!! G5: after release\n")
		:: else
		fi;
		page = 0;
		m_lock = 0
	}
}

inline my_mmu_pin_table(slot)
{
	LOCKED
		ret = EAGAIN;
		if
		:: dead ->
			ret = ESRCH
		:: !dead && is_running_at_pin(slot) ->
			printf("%d|an invalidation is running\n", _pid)
		:: !dead && !is_running_at_pin(slot) && tree[slot] ->
			table = freed[slot];
			seq = invalidate_seq;
			pins[slot]++;
			ret = OK;
			printf("%d|pin the table; sequence is %d\n", _pid, seq)
		:: else		/* the table is gone again */
		fi
	}
}

/* Once around any loop of a populate */
inline turn()
{
	d_step {
#if (WATCH & PROGRESS) && !defined(STORM)
		turns++;
#endif
		if
		:: turns > 1 + 4 * (INVALIDATES + RELEASES) * POPULATES ->
			BROKEN(PROGRESS, "%d|!! PROGRESS: turn after turn\n")
		:: else
		fi
	}
}

/* wait_event_killable(m->wait, my_mmu_may_populate()) */
inline wait_event(slot)
{
	do
	:: atomic { turn(); queued[me] = true }
		LOCKED
			may = dead || !__my_mmu_is_invalidating(slot)
		}
		if
		:: may -> break
		:: else ->
			printf("%d|sleep\n", _pid);
			!queued[me]		/* schedule() */
		fi
	od;
	queued[me] = false;
	may = false
}

inline my_mmu_populate_begin(slot)
{
	do
	:: atomic {
			turn();
			tree[slot] = true	/* my_mmu_table_create() */
		}
		my_mmu_pin_table(slot);
		if
		:: ret != EAGAIN -> break
		:: else -> wait_event(slot)
		fi
	od
}

/* It may find nothing. The VM waits for nobody here, and frees what it likes. */
inline my_mmu_lookup(slot)
{
	atomic {
		if
		:: page = pte[slot]
		:: page = 0
		fi;
		printf("%d|look up slot %d: page %d\n", _pid, slot, page)
	}
#ifdef TOUCH_EARLY
	touch_page(slot)
#endif
}

/* Dirty it, ask for its mapping, mark it for the rmap chain */
inline touch_page(slot)
{
	atomic {
		if
		:: page ->
			printf("%d|look at the struct page of page %d\n",
			       _pid, page);
			if
			:: is_freed(slot) ->
				BROKEN(TOUCH, "%d|!! TOUCH: it is free by now\n")
			:: else
			fi
		:: else
		fi
	}
}

inline my_mmu_insert_pages(slot)
{
	entry[slot] = page;
	printf("%d|enter page %d\n", _pid, page);
	if
	:: released ->
		BROKEN(G5, "%d|!! G5: after release\n")
	:: else
	fi;
	if
	:: quiet[slot] ->
		BROKEN(G1, "%d|!! G1: between start and end\n")
	:: else
	fi;
	if
	:: page != pte[slot] ->
		BROKEN(G2, "%d|!! G2: that page is another's by now\n")
	:: else
	fi
}

/* The lock is held for three steps: the VM does not need it to free a page. */
inline my_mmu_populate_end(slot)
{
	atomic {
		m_lock == 0 -> m_lock = _pid;
		if
		:: !tree[slot] || freed[slot] != table ->
			BROKEN(G5, "%d|!! G5: the table is gone\n")
		:: else
		fi;
		if
		:: is_dead ->
			ret = ESRCH
		:: !is_dead && has_ended(seq) ->
			printf("%d|the sequence has moved: again\n", _pid);
			ret = EAGAIN
		:: !is_dead && !has_ended(seq) && is_running(slot) ->
			printf("%d|an invalidation is running: again\n", _pid);
			ret = EAGAIN
		:: else
		fi
	}
	if
	:: ret == OK && page -> touch_page(slot)
	:: else
	fi;
	atomic {
		if
		:: ret == OK && page -> my_mmu_insert_pages(slot)
		:: else
		fi;
		pins[slot]--;
		if
		:: !is_pinned(slot) && !entry[slot] ->
			__my_mmu_table_remove(slot)
		:: else
		fi;
		page = 0;
		seq = 0;
		table = 0;
		m_lock = 0
	}
}

/* my_mmu_populate_page(), again while it says -EAGAIN: populate_range() */
proctype populate(byte me)
{
	byte seq, table, page, turns;
	bool may;
	mtype ret;

	do
	::
#ifdef LOOKUP_FIRST
		my_mmu_lookup(0);
		my_mmu_populate_begin(0);
#else
		my_mmu_populate_begin(0);
#endif
		if
		:: ret == ESRCH -> break
		:: else
		fi;
#ifndef LOOKUP_FIRST
		my_mmu_lookup(0);
#endif
		my_mmu_populate_end(0);
		if
		:: ret != EAGAIN -> break
		:: else
		fi
	od;
	finished = true
}

proctype release()
{
	byte slot, page, n;

#ifndef DEAD_LATE
	LOCKED
		dead = true;
		printf("%d|release: dead\n", _pid)
	}
#ifndef RELEASE_SILENT
	wake_up_all();
#endif
#endif
	my_mmu_zap_range(0, SLOTS, true);
#ifdef DEAD_LATE
	LOCKED
		dead = true;
		printf("%d|release: dead\n", _pid)
	}
	wake_up_all();
#endif
	d_step {
		printf("%d|release returns\n", _pid);
		released = true;
		for (slot : 0 .. SLOTS - 1) {
			if
			:: entry[slot] ->
				BROKEN(G5, "%d|!! G5: not all is zapped\n")
			:: else
			fi
		}
		slot = 0
	}
}

/*
 * The next range, in any order of start and end that is not before the last:
 * which of the invalidations has which range is all the same.
 */
inline choose(start, end)
{
	do
	:: end < SLOTS ->
		end++;
		if
		:: break
		:: true
		fi
	:: start < SLOTS - 1 ->
		start++;
		end = start + 1;
		if
		:: break
		:: true
		fi
	:: end > start -> break
	od
}

init
{
	byte n, start, end;
	bool free;

	atomic {
		run device();
#if RELEASES
		for (n : 1 .. RELEASES) {
			run release()
		}
#endif
		for (n : 1 .. INVALIDATES) {
			choose(start, end);
			select(free : false .. true);
			run invalidate(start, end, free)
		}
		for (n : 0 .. POPULATES - 1) {
			run populate(n)
		}
		n = 0;
		start = 0;
		end = 0;
		free = false
	}
}

/*
 * STORM: the invalidations go on and on. If they stop some day (1), a populate
 * ends, given weak fairness: who can always go on does so at last. If they
 * never stop (2), it need not end.
 */
#if STORM == 1
ltl ends { [] (calm -> <> finished) }
#elif STORM == 2
ltl ends { <> finished }
#endif
