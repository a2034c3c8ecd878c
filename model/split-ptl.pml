/* SPDX-License-Identifier: GPL-2.0 */
/*
 * split-ptl.pml - variants/split-ptl/my_mmu.c as a model for spin, on a machine
 * whose stores take their time: what are the barriers A, B and C for?
 *
 * Read spinlock.pml first: what is small there is small here, too. This one
 * has one thing more, memory; what the functions of the C file do stands below
 * it, under the names that they have there. model/run checks it; README.md
 * says how.
 *
 * Memory
 *	Each CPU has a queue of stores. A store goes to its end; the process
 *	"memory" takes one from the head of any queue, at any time, and only
 *	then do the others see it. The CPU itself sees its own stores at once.
 *	smp_mb() waits until the queue is empty. Loads are done in their order,
 *	and so are the stores of one CPU.
 *
 *	That is x86, but for the locks. There, an instruction that takes a lock
 *	empties the queue. Here it does not, and giving a lock back is one more
 *	store in the queue. A CPU can even take a lock whose return is still in
 *	its own queue; then nobody else ever sees it free. So an unlock and a
 *	lock in a row are no barrier, as on Power.
 *
 *	What is not here: loads that pass loads, stores that pass stores. This
 *	model can show that a barrier is needed. That the barriers are enough it
 *	shows for machines that are no weaker than it.
 *
 * What goes through the queues
 *	What is read without its lock somewhere: the tree, the ptes, dead, and
 *	whether m->invalidates is 0. What is read under its lock only need not:
 *	nobody gets the lock before the queue has come to its return, and so has
 *	done the stores before it. The return of a lock joins the store before
 *	it, or is done at once if there is none: to hold a lock for longer only
 *	forbids things, so nothing that can happen is lost. For the same reason
 *	a section under a lock (LOCKED) is one step as far as it reads nothing
 *	that others write without the lock.
 *
 *	A queue has room for all stores between two barriers of the C file.
 *
 * What else is different from C
 *	The memory of a table is not used again, so that RCU is not needed. The
 *	VM changes ptes with plain stores under a lock of its own, and does
 *	nothing else that orders memory: on real machines, flushing TLBs does.
 *
 * What is checked (WATCH is a sum of these)
 *	G1	once start has returned, the device reaches no translation of
 *		the range until the matching end is called
 *	G2	no entry in the device's reach names a page that the VM has
 *		replaced, and so freed
 *	G5	a table is removed once, no populate touches one that is gone,
 *		and after release the device reaches nothing
 *	TOUCH	a populate looks at a struct page only while the page cannot be
 *		freed: the CPU's page table names it, or (HELD) the lookup has a
 *		reference on it
 *	G6	populates neither wait nor try again (wanted only where all
 *		invalidations are of other slots)
 *	G10	in the end no table is empty (wanted only with FREE_ALL: all
 *		invalidations are MMU_NOTIFY_UNMAP)
 *	PROGRESS  a populate takes one turn, and at most 4 more for each
 *		invalidation and release, times the number of populates; and
 *		(no invalid end state, as spin calls it) none sleeps for ever
 *	RECORD	every invalidation that is running is found in the record, and
 *		nothing else is while there is room in running[] (RECORD_ALONE:
 *		with nothing but starts and ends)
 *	The device looks whenever anything has changed, under t->lock.
 *
 * How to break it on purpose, by -D. model/run knows what each breaks.
 *	NO_A NO_B NO_C	without that barrier
 *	NO_RELEASE_MB	without the one in release
 *	NO_SEQUENCE	populate_end does not compare the table's sequence
 *	NO_RECORD	populate_end does not look at the record
 *	RECORD_FIRST	end removes the record, then moves the sequences
 *	RECORD_LATE	start zaps first and records then
 *	SEQUENCE_START	start moves the sequences, not end
 *	LOOKUP_FIRST	the page is looked up before the table is pinned
 *	TOUCH_EARLY	the struct page is looked at before t->lock is taken
 *	HULL_LOST	an invalidation that finds no room is counted, no more
 *	HULL_REPLACED	the hull is that of the last which found no room
 *	UNRECORD_ANY	end removes the first record, whosever it is
 *	PINS_IGNORED	a table goes although a populate has it pinned
 *	PIN_DEAD	pin_table does not look at t->dead
 *	REMOVE_DEAD	zap_range does not look at t->dead
 *	DEAD_UNCHECKED	populate_end does not look at m->dev.dead
 *	KEEP_EMPTY	populate_end leaves an empty table
 *	NO_WAKE		end wakes nobody
 * Other machines
 *	X86		whoever takes a lock waits until the queue is empty
 *	NO_RELOCK	a lock is taken by nobody before its return is in memory
 *	PROMPT		there are no queues
 * And what does no harm:
 *	TOUCH_EARLY HELD  with a reference, as get_user_pages_fast() takes it
 *	NO_SLEEPER_MB	waitqueue_active() where wq_has_sleeper() stands: who
 *			goes to sleep has looked at the record under m->lock
 *	PIN_UNCHECKED	pin_table does not look at the record (populate_end
 *			does): some lookups are made in vain, no more
 */
#define G1		1
#define G2		2
#define G5		4
#define G6		8
#define G10		16
#define PROGRESS	32
#define RECORD		64
#define TOUCH		128

#ifndef WATCH
#define WATCH		(G1 + G2 + G5 + TOUCH + PROGRESS)
#endif
#ifndef SLOTS
#define SLOTS		1
#endif
#ifndef POPULATES
#define POPULATES	1
#endif
#ifndef WHERE
#define WHERE		0	/* slot of the populates */
#endif
#ifndef INVALIDATES
#define INVALIDATES	1
#endif
#ifndef FIRST
#define FIRST		0	/* where invalidations may begin */
#endif
#ifndef RELEASES
#define RELEASES	0
#endif
#ifndef RUNNING
#define RUNNING		1	/* MY_MMU_RUNNING */
#endif

#ifdef RECORD_ALONE
#define PROMPT
#endif

#define TABLES		8	/* that can be made in one run */
#define DEPTH		4	/* of a queue; is_queued() knows it, too */
#define CPUS		(POPULATES + INVALIDATES + RELEASES)

#define BROKEN(property, text) \
	if \
	:: WATCH & property -> \
		printf(text, _pid); \
		assert(!(WATCH & property)) \
	:: else \
	fi

/* What a mutant changes, where it is a condition */
#ifdef NO_SEQUENCE
#define has_ended(t, seq)	false
#else
#define has_ended(t, seq)	(t_seq[t] != seq)
#endif
#ifdef PINS_IGNORED
#define is_pinned(t)		false
#else
#define is_pinned(t)		t_pins[t]
#endif
#ifdef REMOVE_DEAD
#define is_removed(t)		false
#else
#define is_removed(t)		t_dead[t]
#endif
#ifdef UNRECORD_ANY
#define is_mine(n, start, end)	true
#else
#define is_mine(n, start, end) \
	(running_start[n] == start && running_end[n] == end)
#endif
#ifdef PIN_DEAD
#define is_table_dead(t)	false
#else
#define is_table_dead(t)	t_dead[t]
#endif
#ifdef DEAD_UNCHECKED
#define is_dead			false
#else
#define is_dead			dead
#endif
#ifdef HELD
#define is_freed(slot)		false
#else
#define is_freed(slot)		(page != current[slot])
#endif
#ifdef HULL_REPLACED
#define is_first_outside	true
#else
#define is_first_outside	(count == recorded)
#endif

mtype = { OK, EAGAIN, ESRCH };

/* ---- memory ------------------------------------------------------------- */

/* What is stored where: the first is for an empty place in a queue */
#define NOTHING		0
#define TREE(slot)	(1 + slot)
#define PTE(slot)	(1 + SLOTS + slot)
#define COUNT		(1 + 2 * SLOTS)
#define DEAD		(2 + 2 * SLOTS)

/* Locks, one bit each */
#define XA_LOCK		1		/* of dev->tables */
#define M_LOCK		2		/* m->lock */
#define PTE_LOCK	4		/* the VM's */
#define T_LOCK(t)	(4 << (t))	/* t->lock, tables are 1 to TABLES */

typedef store {
	byte what;
	byte value;
	short unlocks;		/* locks that are given back with it */
};

typedef queue {
	byte n;
	store at[DEPTH];
};

queue q[CPUS];
short held;			/* locks that are not free, as others see it */

/* What is in memory and read without a lock */
byte tree[SLOTS];		/* dev->tables: table, or 0 */
byte pte[SLOTS] = 1;		/* the VM's: page */
byte invalidates;		/* m->invalidates */
bool dead;			/* m->dev.dead */

/* The same as seen with the lock held */
byte xa[SLOTS];			/* XA_LOCK */
byte current[SLOTS] = 1;	/* PTE_LOCK */
byte count;			/* M_LOCK */

/* What is never read without its lock */
byte recorded;			/* M_LOCK, down to the hull */
byte running_start[RUNNING + 1], running_end[RUNNING + 1];
byte hull_start, hull_end;
byte t_seq[TABLES + 1];		/* T_LOCK(t), down to the empty line */
byte t_pins[TABLES + 1];
bool t_dead[TABLES + 1];
byte t_entry[TABLES + 1];	/* page, or 0 */

byte tables;			/* how many have been made */
bool queued[POPULATES];		/* m->wait: who sleeps */

/* What only the properties know */
byte quiet[SLOTS];		/* invalidations between start and end */
byte busy[SLOTS];		/* RECORD: invalidations that are running */
bool released;			/* release has returned */
byte i, j;			/* of device_looks(), else 0 */

/*
 * The device reaches an entry when its table is in the tree, and uses it under
 * t->lock. If it may: is that right?
 */
inline device_looks()
{
	for (i : 0 .. SLOTS - 1) {
		j = tree[i];
		if
		:: j && t_entry[j] && !(held & T_LOCK(j)) ->
			if
			:: quiet[i] ->
				BROKEN(G1, "%d|!! G1: in the device's reach\n")
			:: else
			fi;
			if
			:: t_entry[j] != current[i] ->
				BROKEN(G2, "%d|!! G2: its page was freed\n")
			:: else
			fi;
			if
			:: released ->
				BROKEN(G5, "%d|!! G5: mapped after release\n")
			:: else
			fi
		:: else
		fi
	}
	i = 0;
	j = 0
}

/* Does this CPU have a store of this kind in its queue? DEPTH is 4. */
#define is_queued(cpu, kind) \
	(q[cpu].at[0].what == (kind) || q[cpu].at[1].what == (kind) || \
	 q[cpu].at[2].what == (kind) || q[cpu].at[3].what == (kind))

/* Locks whose return is in its queue */
#define returning(cpu) \
	(q[cpu].at[0].unlocks | q[cpu].at[1].unlocks | \
	 q[cpu].at[2].unlocks | q[cpu].at[3].unlocks)

/* Can this lock be taken by this CPU? */
#if defined(X86)
#define is_free(lock)	(!(held & (lock)) && !q[cpu].n)
#elif defined(NO_RELOCK)
#define is_free(lock)	(!(held & (lock)))
#else
#define is_free(lock)	(!(held & (lock)) || (returning(cpu) & (lock)))
#endif

/* A section that is one step: until its UNLOCK, or longer */
#define LOCKED(lock) \
	atomic { is_free(lock) -> \
		d_step { \
			for (i : 0 .. DEPTH - 1) { \
				q[cpu].at[i].unlocks = \
					q[cpu].at[i].unlocks & (4095 - (lock)) \
			} \
			i = 0; \
			held = held | (lock) \
		}

#define UNLOCK(lock) \
	d_step { \
		if \
		:: q[cpu].n -> \
			q[cpu].at[q[cpu].n - 1].unlocks = \
				q[cpu].at[q[cpu].n - 1].unlocks | (lock) \
		:: else -> \
			held = held & (4095 - (lock)); \
			device_looks() \
		fi \
	}

/* The head of a queue, for all to see */
inline store_done(c)
{
	if
	:: q[c].at[0].what == COUNT ->
		invalidates = q[c].at[0].value;
		printf("%d|(count %d is in memory)\n", c + 2,
		       invalidates)
	:: q[c].at[0].what == DEAD ->
		dead = true;
		printf("%d|(dead is in memory)\n", c + 2)
	:: else ->
		for (i : 0 .. SLOTS - 1) {
			if
			:: q[c].at[0].what == TREE(i) ->
				tree[i] = q[c].at[0].value;
				printf("%d|(table %d is in memory)\n",
				       c + 2, tree[i])
			:: q[c].at[0].what == PTE(i) ->
				pte[i] = q[c].at[0].value;
				printf("%d|(page %d is in memory)\n",
				       c + 2, pte[i])
			:: else
			fi
		}
	fi;
	held = held & (4095 - q[c].at[0].unlocks);
	for (i : 1 .. DEPTH - 1) {
		q[c].at[i - 1].what = q[c].at[i].what;
		q[c].at[i - 1].value = q[c].at[i].value;
		q[c].at[i - 1].unlocks = q[c].at[i].unlocks
	}
	q[c].at[DEPTH - 1].what = NOTHING;
	q[c].at[DEPTH - 1].value = 0;
	q[c].at[DEPTH - 1].unlocks = 0;
	q[c].n--;
	i = 0;
	device_looks()
}

inline store_queued(kind, new)
{
	q[cpu].n < DEPTH;
	d_step {
		q[cpu].at[q[cpu].n].what = kind;
		q[cpu].at[q[cpu].n].value = new;
		q[cpu].n++;
#ifdef PROMPT
		store_done(cpu)
#endif
	}
}

inline smp_mb()
{
	q[cpu].n == 0
}

proctype memory()
{
end:
	do
	:: q[0].n -> d_step { store_done(0) }
#if CPUS > 1
	:: q[1].n -> d_step { store_done(1) }
#endif
#if CPUS > 2
	:: q[2].n -> d_step { store_done(2) }
#endif
#if CPUS > 3
	:: q[3].n -> d_step { store_done(3) }
#endif
	od
}

/* ---- driver/table.c ------------------------------------------------------ */

/* Also what my_mmu_for_each_table() does at each slot: no lock, but RCU */
inline my_mmu_table_find(slot)
{
	t = (is_queued(cpu, TREE(slot)) -> xa[slot] : tree[slot])
}

/* After a my_mmu_table_find(). The insertion looks again under its lock. */
inline my_mmu_table_create(slot)
{
	if
	:: t
	:: else ->
		LOCKED(XA_LOCK)
			if
			:: xa[slot]	/* -EBUSY: there is one by now */
			:: else ->
				assert(tables < TABLES);
				tables++;
				xa[slot] = tables;
				store_queued(TREE(slot), tables);
				printf("%d|make table %d\n", _pid, tables)
			fi;
			UNLOCK(XA_LOCK)
		}
	fi;
	t = 0
}

/* Inside a section under t->lock */
inline __my_mmu_table_remove(slot)
{
	t_dead[t] = true;
	t_seq[t] = 0;		/* makes equal states equal */
	LOCKED(XA_LOCK)
		if
		:: xa[slot] != t -> BROKEN(G5, "%d|!! G5: removed twice\n")
		:: else
		fi;
		xa[slot] = 0;
		store_queued(TREE(slot), 0);
		printf("%d|remove table %d\n", _pid, t);
		UNLOCK(XA_LOCK)
	}
}

/* ---- variants/split-ptl/my_mmu.c ----------------------------------------- */

inline my_mmu_zap_range(start, end, free)
{
	slot = start;
	do
	:: atomic { slot < end -> my_mmu_table_find(slot) }
		if
		:: t ->
			LOCKED(T_LOCK(t))
				printf("%d|zap table %d: page %d\n", _pid, t,
				       t_entry[t]);
				t_entry[t] = 0;
				if
				:: free && !is_pinned(t) && !is_removed(t) ->
					__my_mmu_table_remove(slot)
				:: else
				fi;
				UNLOCK(T_LOCK(t));
				slot++
			}
		:: atomic { else ->
				printf("%d|zap slot %d: no table\n", _pid,
				       slot);
				slot++
			}
		fi
	:: else -> break
	od;
	atomic { slot = 0; t = 0 }
}

/* with m->lock held, both */
inline __my_mmu_record(start, end)
{
	if
	:: recorded < RUNNING ->
		running_start[recorded] = start;
		running_end[recorded] = end;
		recorded++
#ifndef HULL_LOST
	:: recorded == RUNNING && is_first_outside ->
		hull_start = start;
		hull_end = end
	:: recorded == RUNNING && !is_first_outside ->
		hull_start = (start < hull_start -> start : hull_start);
		hull_end = (end > hull_end -> end : hull_end)
#else
	:: else
#endif
	fi
}

inline __my_mmu_unrecord(start, end)
{
	d_step {
		n = 0;
		do
		:: n < recorded && is_mine(n, start, end) ->
			recorded--;
			running_start[n] = running_start[recorded];
			running_end[n] = running_end[recorded];
			running_start[recorded] = 0;
			running_end[recorded] = 0;
			break
		:: n < recorded && !is_mine(n, start, end) ->
			n++
		:: else -> break
		od;
		n = 0
	}
}

/* The part of my_mmu_is_invalidating() that wants m->lock */
inline look_at_record(slot)
{
	found = count > recorded && slot < hull_end && slot + 1 > hull_start;
	for (n : 0 .. RUNNING) {
		found = found || (n < recorded && slot < running_end[n] &&
				  slot + 1 > running_start[n])
	}
	n = 0
}

/*
 * RECORD, with m->lock held: whatever is running is found, and nothing else
 * while there is room.
 */
inline check_record(start, end, change)
{
#if WATCH & RECORD
	d_step {
		for (i : 0 .. SLOTS - 1) {
			if
			:: start <= i && i < end -> busy[i] = busy[i] + change
			:: else
			fi;
			look_at_record(i);
			if
			:: busy[i] && !found ->
				BROKEN(RECORD, "%d|!! RECORD: not found\n")
			:: !busy[i] && found && count == recorded ->
				BROKEN(RECORD, "%d|!! RECORD: found in vain\n")
			:: else
			fi;
			found = false
		}
		i = 0
	}
#else
	skip
#endif
}

inline inc_active(start, end)
{
	LOCKED(M_LOCK)
		__my_mmu_record(start, end);
		count++;
		check_record(start, end, 1);
		store_queued(COUNT, count);
		printf("%d|start [%d, %d): record it; count %d\n", _pid, start,
		       end, count);
		UNLOCK(M_LOCK)
	}
#ifndef NO_B
	smp_mb()				/* B */
#endif
}

inline my_mmu_bump_seq(start, end)
{
	slot = start;
	do
	:: atomic { slot < end -> my_mmu_table_find(slot) }
		if
		:: t ->
			LOCKED(T_LOCK(t))
				t_seq[t]++;
				printf("%d|sequence of table %d: %d\n", _pid, t,
				       t_seq[t]);
				UNLOCK(T_LOCK(t));
				slot++
			}
		:: atomic { else ->
				printf("%d|sequence of slot %d: no table\n",
				       _pid, slot);
				slot++
			}
		fi
	:: else -> break
	od;
	atomic { slot = 0; t = 0 }
}

inline dec_active(start, end)
{
#ifndef NO_C
	smp_mb();				/* C */
#endif
#if !defined(RECORD_FIRST) && !defined(SEQUENCE_START) && !defined(RECORD_ALONE)
	my_mmu_bump_seq(start, end);
#endif
	LOCKED(M_LOCK)
		__my_mmu_unrecord(start, end);
		count--;
		store_queued(COUNT, count);
		printf("%d|end: record removed; count %d\n", _pid, count);
		if
		:: count == recorded -> hull_start = 0; hull_end = 0
		:: else		/* no matter: makes equal states equal */
		fi;
		check_record(start, end, -1);
		UNLOCK(M_LOCK)
	}
#ifdef RECORD_FIRST
	my_mmu_bump_seq(start, end);
#endif
#ifndef NO_WAKE
#ifndef NO_SLEEPER_MB
	smp_mb();				/* in wq_has_sleeper() */
#endif
	wake_up_all()
#endif
}

/* One step when nobody sleeps, and as good as one when somebody does */
inline wake_up_all()
{
	d_step {
		for (n : 0 .. POPULATES - 1) {
			queued[n] = false
		}
		n = 0
	}
}

inline my_mmu_is_invalidating(slot)
{
	found = false;
	if
	:: invalidates ->
		LOCKED(M_LOCK)
			d_step { look_at_record(slot) };
			UNLOCK(M_LOCK)
		}
	:: else ->
		printf("%d|count is 0\n", _pid)
	fi
}

/*
 * my_mmu_invalidate_range_start(), a change of ptes, and
 * my_mmu_invalidate_range_end(). Release makes the VM forget the notifier:
 * later calls do not come, and an end can be missing.
 */
proctype invalidate(byte cpu, start, end; bool free)
{
	byte slot, t, n;
	bool found;

#if RELEASES
	if
	:: released -> goto out
	:: true
	fi;
#endif
#ifdef RECORD_ALONE
	inc_active(start, end);
	dec_active(start, end);
	goto out;
#endif
#ifdef RECORD_LATE
	my_mmu_zap_range(start, end, free);
	inc_active(start, end);
#else
	inc_active(start, end);
#ifdef SEQUENCE_START
	my_mmu_bump_seq(start, end);
#endif
	my_mmu_zap_range(start, end, free);
#endif
	d_step {
		for (slot : start .. end - 1) {
			quiet[slot]++
		}
		slot = 0;
		printf("%d|start returns\n", _pid);
		device_looks()
	}

	LOCKED(PTE_LOCK)
		for (slot : start .. end - 1) {
			current[slot]++;
			store_queued(PTE(slot), current[slot])
		}
		slot = 0;
		printf("%d|the VM changes ptes\n", _pid);
		UNLOCK(PTE_LOCK)
	}

	d_step {
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
	dec_active(start, end);
out:
	skip
}

inline my_mmu_pin_table(slot)
{
	atomic {
		ret = EAGAIN;
		if
		:: dead ->
			ret = ESRCH;
			goto pinned
		:: else
		fi
	}
#ifndef PIN_UNCHECKED
	my_mmu_is_invalidating(slot);
	if
	:: found ->
		printf("%d|an invalidation is running\n", _pid);
		found = false;
		goto pinned
	:: else
	fi;
#endif
	my_mmu_table_find(slot);
	if
	:: t ->
		LOCKED(T_LOCK(t))
			if
			:: !is_table_dead(t) ->
				seq = t_seq[t];
				t_pins[t]++;
				printf("%d|pin table %d; sequence is %d\n",
				       _pid, t, seq);
				ret = OK
			:: else ->
				printf("%d|table %d is gone\n", _pid, t)
			fi;
			UNLOCK(T_LOCK(t))
		}
	:: else
	fi;
pinned:
	skip
}

/* Once around any loop of a populate */
inline turn()
{
	d_step {
#if WATCH & PROGRESS
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
	BROKEN(G6, "%d|!! G6: it has to wait\n");
	do
	:: atomic {
			turn();
			queued[me] = true	/* prepare_to_wait_event(): */
		}
		smp_mb();		/* set_current_state() */
		if
		:: dead -> break
		:: else
		fi;
		my_mmu_is_invalidating(slot);
		if
		:: !found -> break
		:: else ->
			found = false;
			printf("%d|sleep\n", _pid);
			!queued[me]	/* schedule() */
		fi
	od;
	queued[me] = false
}

inline my_mmu_populate_begin(slot)
{
	do
	:: atomic { turn(); my_mmu_table_find(slot) }
		my_mmu_table_create(slot);
		my_mmu_pin_table(slot);
		if
		:: ret != EAGAIN -> break
		:: else ->
			t = 0;
			wait_event(slot)
		fi
	od
}

/* It may find nothing. */
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

inline my_mmu_populate_end(slot)
{
	LOCKED(T_LOCK(t))
		if
		:: t_dead[t] -> BROKEN(G5, "%d|!! G5: the table is gone\n")
		:: else
		fi;
		if
		:: is_dead ->
			ret = ESRCH
		:: !is_dead && has_ended(t, seq) ->
			printf("%d|the sequence has moved: again\n", _pid);
			ret = EAGAIN
		:: else
		fi
	}
#ifndef NO_RECORD
	if
	:: ret == OK ->
		my_mmu_is_invalidating(slot);
		if
		:: found ->
			printf("%d|it is recorded: again\n", _pid);
			ret = EAGAIN;
			found = false
		:: else
		fi
	:: else
	fi;
#endif
	if
	:: ret == OK -> touch_page(slot)
	:: else
	fi;
	atomic {
		if
		:: ret == OK && page ->
			t_entry[t] = page;
			printf("%d|enter page %d\n", _pid, page)
		:: else
		fi;
		t_pins[t]--;
		if
#ifndef KEEP_EMPTY
		:: !is_pinned(t) && !t_entry[t] ->
			__my_mmu_table_remove(slot)
#endif
		:: else
		fi;
		UNLOCK(T_LOCK(t));
		t = 0;
		seq = 0;
		page = 0
	}
}

/* my_mmu_populate_page(), again while it says -EAGAIN: populate_range() */
proctype populate(byte cpu, me)
{
	byte t, seq, page, n, turns;
	bool found;
	mtype ret;

	do
	::
#ifdef LOOKUP_FIRST
		my_mmu_lookup(WHERE);
#endif
		my_mmu_populate_begin(WHERE);
		if
		:: ret == ESRCH -> break
		:: else
		fi;
#ifndef NO_A
		smp_mb();			/* A */
#endif
#ifndef LOOKUP_FIRST
		my_mmu_lookup(WHERE);
#endif
		my_mmu_populate_end(WHERE);
		if
		:: ret != EAGAIN -> break
		:: else -> BROKEN(G6, "%d|!! G6: it has to try again\n")
		fi
	od
}

proctype release(byte cpu)
{
	byte slot, t, n;

	atomic {
		store_queued(DEAD, true);
		printf("%d|release: dead\n", _pid)
	}
#ifndef NO_RELEASE_MB
	smp_mb();				/* as B */
#endif
	wake_up_all();
	my_mmu_zap_range(0, SLOTS, true);
	d_step {
		released = true;
		printf("%d|release returns\n", _pid);
		device_looks()
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
	byte n, start = FIRST, end;
	bool free;

	atomic {
#ifndef RECORD_ALONE
		/* a table may be there already, with an entry */
		if
		:: true
		:: tables = 1;
			xa[WHERE] = 1;
			tree[WHERE] = 1;
			t_entry[1] = 1
		fi;
		run memory();
#endif
#if RELEASES
		run release(0);
#endif
		for (n : 0 .. INVALIDATES - 1) {
#ifdef APART
			start = n * APART;
			end = start + 1;
#else
			choose(start, end);
#endif
#ifdef FREE_ALL
			free = true;
#else
			select(free : false .. true);
#endif
			run invalidate(RELEASES + n, start, end, free)
		}
#ifndef RECORD_ALONE
		for (n : 0 .. POPULATES - 1) {
			run populate(RELEASES + INVALIDATES + n, n)
		}
#endif
		n = 0;
		start = 0;
		end = 0;
		free = false
	}
#if WATCH & G10
	/* all have ended, but this and the memory, and nothing is on its way */
	_nr_pr == 2 && !held;
	for (n : 0 .. SLOTS - 1) {
		if
		:: tree[n] && !t_entry[tree[n]] ->
			BROKEN(G10, "%d|!! G10: the table is empty\n")
		:: else
		fi
	}
#endif
}
