// SPDX-License-Identifier: GPL-2.0
// A condition is always or never true; 0 stands where 1 stood, or 1 for 0; an
// error, or another result, is returned as 0.
@initialize:python@
@@
from mutation_site import here

@@
expression E;
statement S, T;
position p : script:python() { here(p, "0") };
@@
if (
- E@p
+ 0
 ) S else T

@@
expression E;
statement S, T;
position p : script:python() { here(p, "1") };
@@
if (
- E@p
+ 1
 ) S else T

@@
expression E;
statement S;
position p : script:python() { here(p, "0") };
@@
if (
- E@p
+ 0
 ) S

@@
expression E;
statement S;
position p : script:python() { here(p, "1") };
@@
if (
- E@p
+ 1
 ) S

@@
position p : script:python() { here(p) };
@@
- 0@p
+ 1

@@
position p : script:python() { here(p) };
@@
- 1@p
+ 0

@@
expression E;
position p : script:python() { here(p) };
@@
return
- E@p
+ 0
 ;
