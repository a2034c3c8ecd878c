// SPDX-License-Identifier: GPL-2.0
// The branch of a condition is not there: its else, or all of it.
@initialize:python@
@@
from mutation_site import here

@@
expression E;
statement S, T;
position p : script:python() { here(p) };
@@
 if@p (E) S
- else T

@@
expression E;
statement S;
position p : script:python() { here(p, "all") };
@@
- if@p (E) S
