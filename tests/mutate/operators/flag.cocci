// SPDX-License-Identifier: GPL-2.0
// A flag is not set, or set the other way.
@initialize:python@
@@
from mutation_site import here

@@
expression F;
constant C;
position p : script:python() { here(p) };
@@
- WRITE_ONCE@p(F, C);

@@
expression F, E;
position p : script:python() { here(p) };
@@
- F |=@p E;

@@
symbol true, false;
expression F;
position p : script:python() { here(p) };
@@
- F =@p true
+ F = false

@@
expression F;
position p : script:python() { here(p) };
@@
- F =@p false
+ F = true

@@
identifier f;
expression list before, after;
position p : script:python() { here(p) };
@@
 f(before,
- true@p
+ false
 , after)

@@
identifier f;
expression list before, after;
position p : script:python() { here(p) };
@@
 f(before,
- false@p
+ true
 , after)
