// SPDX-License-Identifier: GPL-2.0
// A function returns before a statement.
@initialize:python@
@@
from mutation_site import here

@@
identifier f;
statement S;
position p : script:python() { here(p) };
@@
 void f(...)
 {
 <+...
+ return;
 S@p
 ...+>
 }

@@
identifier f;
statement S;
position p : script:python() { here(p, "0") };
@@
 int f(...)
 {
 <+...
+ return 0;
 S@p
 ...+>
 }

@@
identifier f;
statement S;
position p : script:python() { here(p, "0") };
@@
 long f(...)
 {
 <+...
+ return 0;
 S@p
 ...+>
 }

@@
typedef bool;
identifier f;
statement S;
position p : script:python() { here(p, "0") };
@@
 bool f(...)
 {
 <+...
+ return 0;
 S@p
 ...+>
 }

@@
identifier f;
statement S;
position p : script:python() { here(p, "0") };
@@
 unsigned int f(...)
 {
 <+...
+ return 0;
 S@p
 ...+>
 }

@@
identifier f;
statement S;
position p : script:python() { here(p, "0") };
@@
 unsigned long f(...)
 {
 <+...
+ return 0;
 S@p
 ...+>
 }

@@
typedef u64;
identifier f;
statement S;
position p : script:python() { here(p, "0") };
@@
 u64 f(...)
 {
 <+...
+ return 0;
 S@p
 ...+>
 }

@@
type T;
identifier f;
statement S;
position p : script:python() { here(p, "NULL") };
@@
 T *f(...)
 {
 <+...
+ return NULL;
 S@p
 ...+>
 }
