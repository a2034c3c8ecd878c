// SPDX-License-Identifier: GPL-2.0
/*
 * Lab 4 hands these out in place of the solution's: a driver for one handle of
 * one process that never dies at the wrong moment.
 */

/*
 * Part D and B: nothing is mapped after this, and nothing can be.
 *
 * The VM calls it when the address space goes, the last detach as well, and
 * possibly both at once: then each of them waits for the device, also the
 * one that finds nothing left to zap. For that, my_mmu_shootdown_begin() has
 * to tell of a zap before it is made (D). A populate that has looked pages
 * up must not enter them behind the zap: set m->dev.dead (WRITE_ONCE(),
 * under m->lock) at the right moment (B). An invalidation that has started
 * may never see its end, so whoever waits for one in m->wait must be told
 * (D). The test points stay: release_dead behind the moment from which
 * nothing can be entered, release_zapped behind the zap, release_unlisted at
 * the end.
 */
static void my_mmu_release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct my_mmu *m = container_of(mn, struct my_mmu, notifier);
	struct my_mmu_shootdown s;
	unsigned long zapped;

	my_mmu_test_point(release_dead, mm, true);
	zapped = my_mmu_zap_range(m, 0, ULONG_MAX, true, true);
	my_mmu_test_point(release_zapped, mm, true);
	my_mmu_shootdown_begin(&m->dev, &s, 0, ULONG_MAX);
	my_mmu_shootdown(&m->dev, &s, zapped, true);

	down_write(&my_mmu_listlock);
	__my_mmu_unlist(m);
	up_write(&my_mmu_listlock);
	my_mmu_test_point(release_unlisted, mm, true);
	trace_my_mmu_release(&m->dev);
}

/*
 * Part A and B: one handle more (m->users). The flags are those of the first.
 * False if there is nothing to attach to any more.
 */
static bool __my_mmu_add_user(struct my_mmu *m, u32 flags)
	__must_hold(&m->lock)
{
	lockdep_assert_held(&m->lock);
	WRITE_ONCE(m->dev.flags, flags);
	return true;
}

/*
 * Part A and B: one handle less. True of the last, who takes @m away: from here
 * on nobody may become a user of it.
 */
static bool __my_mmu_drop_user(struct my_mmu *m)
	__must_hold(&m->lock)
{
	lockdep_assert_held(&m->lock);
	return true;
}

/*
 * Part C: the notifier is one for an address space; mmu_notifier_get_locked()
 * finds it, or makes one, and takes a reference.
 *
 * One that is dying lets go of it in bounded time (my_mmu_add_user() says
 * false): give the reference back, and come again. A task that is killed does
 * not come again.
 */
static struct my_mmu_dev *my_mmu_attach_to_process(struct mm_struct *mm,
						   u32 flags)
{
	struct mmu_notifier *mn;
	struct my_mmu *m;

	if (mmap_write_lock_killable(mm))
		return ERR_PTR(-EINTR);
	mn = mmu_notifier_get_locked(&my_mmu_ops, mm);
	mmap_write_unlock(mm);
	if (IS_ERR(mn))
		return ERR_CAST(mn);
	m = container_of(mn, struct my_mmu, notifier);
	my_mmu_test_point(attach_found, mm, true);
	if (my_mmu_add_user(m, flags))
		return &m->dev;
	mmu_notifier_put(mn);
	return ERR_PTR(-ESRCH);
}

/*
 * Part A: a handle goes. The last one releases; each gives back the reference
 * that its attach took. The test point stays where the last user has gone and
 * nothing is released yet.
 */
static void my_mmu_detach(struct my_mmu_dev *dev)
{
	struct my_mmu *m = to_my_mmu(dev);
	bool last;

	my_mmu_spin_lock(&m->lock);
	last = __my_mmu_drop_user(m);
	spin_unlock(&m->lock);
	if (last)
		my_mmu_test_point(detach_last, dev->mm, true);
	my_mmu_release(&m->notifier, dev->mm);
	mmu_notifier_put(&m->notifier);
}
