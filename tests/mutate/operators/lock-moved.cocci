// SPDX-License-Identifier: GPL-2.0
// A lock is taken later, or dropped earlier, by a statement.
@initialize:python@
@@
from mutation_site import here

@@
identifier lock =~ "^(my_mmu_spin_lock|spin_lock|mutex_lock|down_read|down_write|rcu_read_lock)$";
expression list L;
statement S;
position p : script:python() { here(p) };
@@
- lock@p(L);
  S
+ lock(L);

@@
identifier unlock =~ "^(spin_unlock|mutex_unlock|up_read|up_write|rcu_read_unlock|srcu_read_unlock|mmap_read_unlock|mmap_write_unlock)$";
expression list L;
statement S;
position p : script:python() { here(p) };
@@
+ unlock(L);
  S
- unlock@p(L);
