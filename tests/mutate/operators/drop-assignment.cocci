// SPDX-License-Identifier: GPL-2.0
// An assignment is not made.
@initialize:python@
@@
from mutation_site import here

@@
expression L, R;
assignment operator op;
position p : script:python() { here(p) };
@@
- L op@p R;
