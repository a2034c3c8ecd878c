// SPDX-License-Identifier: GPL-2.0
// A call whose result nobody uses is not made. Assertions stay: they only look.
@initialize:python@
@@
from mutation_site import here

@@
identifier f !~ "^(lockdep_assert_held|WARN_ON_ONCE|RCU_LOCKDEP_WARN)$";
expression list es;
position p : script:python() { here(p) };
@@
- f@p(es);
