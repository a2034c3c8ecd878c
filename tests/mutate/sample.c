// SPDX-License-Identifier: GPL-2.0
/*
 * sample.c - what the operators are tried on; it is never compiled
 *
 * sample.expected says what each makes of it; run-mutate --check compares.
 */
struct box {
	spinlock_t lock;	/* protects the rest */
	unsigned int count;
	bool full;
};

static void box_fill(struct box *b, unsigned int from, unsigned int to)
{
	unsigned int i;

	my_mmu_spin_lock(&b->lock);
	for (i = 0; i < to; i++) {
		if (i < from)
			continue;
		if (box_is_full(b) && !b->count)
			break;
		b->count++;
	}
	b->full = true;
	spin_unlock(&b->lock);
	my_mmu_count(fills);
}

static int box_take(struct box *b, unsigned int n)
{
	unsigned int start = min(n, b->count - 1);
	int ret = -EAGAIN;

	rcu_read_lock();
	if (b->count >= n || n == 1) {
		b->count -= n;
		ret = 0;
	} else {
		box_fill(b, start, n);
	}
	rcu_read_unlock();
	WRITE_ONCE(b->full, false);
	return box_wake(b, true) ?: ret;
}

static void box_count(struct box *b, const char *why)
{
	int idx = srcu_read_lock(&boxes);
	unsigned int by = why ? 2 : 1;

	while (b->count < by)
		--b->count;
	b->flags |= BOX_COUNTED;
	WRITE_ONCE(b->seen, b->seen + 1);
	srcu_read_unlock(&boxes, idx);
}
