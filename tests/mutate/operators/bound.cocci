// SPDX-License-Identifier: GPL-2.0
// A bound is off by one: of a comparison, of a loop, of a sum, of min and max.
@initialize:python@
@@
from mutation_site import here

@@
expression A, B;
position p : script:python() { here(p) };
@@
- A <@p B
+ A <= B

@@
expression A, B;
position p : script:python() { here(p) };
@@
- A <=@p B
+ A < B

@@
expression A, B;
position p : script:python() { here(p) };
@@
- A >@p B
+ A >= B

@@
expression A, B;
position p : script:python() { here(p) };
@@
- A >=@p B
+ A > B

@@
expression E;
position p : script:python() { here(p) };
@@
- E +@p 1
+ E

@@
expression E;
position p : script:python() { here(p) };
@@
- E -@p 1
+ E

@@
expression I, C, N;
statement S;
position p : script:python() { here(p) };
@@
for (
- I =@p 0
+ I = 1
 ; C; N) S

@@
expression A, B;
position p : script:python() { here(p) };
@@
- min@p(A, B)
+ max(A, B)

@@
expression A, B;
position p : script:python() { here(p) };
@@
- max@p(A, B)
+ min(A, B)
