// SPDX-License-Identifier: GPL-2.0
// A condition is negated.
@initialize:python@
@@
from mutation_site import here

@@
expression E;
statement S, T;
position p : script:python() { here(p) };
@@
if (
- E@p
+ !(E)
 ) S else T

@@
expression E;
statement S;
position p : script:python() { here(p) };
@@
if (
- E@p
+ !(E)
 ) S

@@
expression E;
statement S;
position p : script:python() { here(p) };
@@
while (
- E@p
+ !(E)
 ) S

@@
expression E, X, Y;
position p : script:python() { here(p) };
@@
- E@p
+ !(E)
 ? X : Y

@@
expression E;
position p : script:python() { here(p) };
@@
- !E@p
+ E
