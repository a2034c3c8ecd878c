// SPDX-License-Identifier: GPL-2.0
// Two neighbouring arguments of one type change places.
@initialize:python@
@@
from mutation_site import here

@@
type T;
identifier f;
T A, B;
expression list before, after;
position p : script:python() { here(p) };
@@
 f(before,
- A@p, B
+ B, A
 , after)
