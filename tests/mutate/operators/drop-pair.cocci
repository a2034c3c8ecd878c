// SPDX-License-Identifier: GPL-2.0
// A lock is not taken, nor let go; what is counted up and down, or marked and
// unmarked, is neither.
@initialize:python@
@@
from mutation_site import here

@@
expression X;
position p : script:python() { here(p) };
@@
- my_mmu_spin_lock@p(X);
  ...
- spin_unlock(X);

@@
expression X;
position p : script:python() { here(p) };
@@
- spin_lock@p(X);
  ...
- spin_unlock(X);

@@
expression X;
position p : script:python() { here(p) };
@@
- mutex_lock@p(X);
  ...
- mutex_unlock(X);

@@
expression X;
position p : script:python() { here(p) };
@@
- down_read@p(X);
  ...
- up_read(X);

@@
expression X;
position p : script:python() { here(p) };
@@
- down_write@p(X);
  ...
- up_write(X);

@@
expression X;
position p : script:python() { here(p) };
@@
- atomic_long_inc@p(X);
  ...
- atomic_long_dec(X);

@@
position p : script:python() { here(p) };
@@
- rcu_read_lock@p();
  ...
- rcu_read_unlock();

@@
expression I, X;
position p : script:python() { here(p) };
@@
- I = srcu_read_lock@p(X);
  ...
- srcu_read_unlock(X, I);

@@
expression X;
statement S;
position p : script:python() { here(p) };
@@
- if (down_read_killable@p(X)) S
  ...
- up_read(X);

@@
expression X;
statement S;
position p : script:python() { here(p) };
@@
- if (down_write_killable@p(X)) S
  ...
- up_write(X);

@@
expression X;
statement S;
position p : script:python() { here(p) };
@@
- if (mmap_read_lock_killable@p(X)) S
  ...
- mmap_read_unlock(X);

@@
expression X;
statement S;
position p : script:python() { here(p) };
@@
- if (mmap_write_lock_killable@p(X)) S
  ...
- mmap_write_unlock(X);

@@
expression M, P;
position p : script:python() { here(p) };
@@
- my_mmu_hold_off@p(M, P, 1);
  ...
- my_mmu_hold_off(M, P, -1);

@@
identifier begin =~ "^my_mmu_shootdown_begin";
expression D, S;
expression list es, fs;
position p : script:python() { here(p) };
@@
- begin@p(D, S, es);
  ...
- my_mmu_shootdown(D, S, fs);
