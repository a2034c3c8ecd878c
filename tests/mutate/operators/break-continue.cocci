// SPDX-License-Identifier: GPL-2.0
// A loop goes on where it should end, or ends where it should go on.
@initialize:python@
@@
from mutation_site import here

@@
position p : script:python() { here(p) };
@@
- break@p;
+ continue;

@@
position p : script:python() { here(p) };
@@
- continue@p;
+ break;
