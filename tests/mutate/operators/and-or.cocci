// SPDX-License-Identifier: GPL-2.0
// "And" for "or", and the other way round; of bits, too.
@initialize:python@
@@
from mutation_site import here

@@
expression A, B;
position p : script:python() { here(p) };
@@
- A &&@p B
+ A || B

@@
expression A, B;
position p : script:python() { here(p) };
@@
- A ||@p B
+ A && B

@@
expression A, B;
position p : script:python() { here(p, "left") };
@@
- A &&@p B
+ B

@@
expression A, B;
position p : script:python() { here(p, "right") };
@@
- A &&@p B
+ A

@@
expression A, B;
position p : script:python() { here(p, "left") };
@@
- A ||@p B
+ B

@@
expression A, B;
position p : script:python() { here(p, "right") };
@@
- A ||@p B
+ A
