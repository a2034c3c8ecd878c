// SPDX-License-Identifier: GPL-2.0
// A count is not taken, or in the wrong direction.
@initialize:python@
@@
from mutation_site import here

@@
expression E;
position p : script:python() { here(p) };
@@
- E++@p;

@@
expression E;
position p : script:python() { here(p) };
@@
- E--@p;

@@
expression E;
position p : script:python() { here(p) };
@@
- ++@p E;

@@
expression E;
position p : script:python() { here(p) };
@@
- --@p E;

@@
expression E;
position p : script:python() { here(p) };
@@
- E++@p
+ E

@@
expression E;
position p : script:python() { here(p) };
@@
- ++@p E
+ E

@@
expression E;
position p : script:python() { here(p) };
@@
- E--@p
+ E

@@
expression E;
position p : script:python() { here(p) };
@@
- --@p E
+ E

@@
expression E, N;
position p : script:python() { here(p) };
@@
- E +=@p N
+ E -= N

@@
expression E, N;
position p : script:python() { here(p) };
@@
- E -=@p N
+ E += N

@@
expression C, N;
position p : script:python() { here(p) };
@@
- WRITE_ONCE(C, C +@p N)
+ WRITE_ONCE(C, C)

@@
expression C, N;
position p : script:python() { here(p) };
@@
- WRITE_ONCE(C, C -@p N)
+ WRITE_ONCE(C, C)
