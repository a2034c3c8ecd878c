# SPDX-License-Identifier: GPL-2.0
#
# percentiles.gp - latency at each percentile, one curve per variant
#
# Given: name out W H source heading, data (position seconds, one block per
# curve), ends (x y text style), styles (words), ymin, ymax, ticks (positions
# on the y axis with their text).
load "style.gp"
set title heading offset 0, -0.5
set logscale y
set xrange [0.8:5.1]
set yrange [ymin:ymax]
set xtics nomirror ("50 %%" 1, "90 %%" 2, "99 %%" 3, "99.9 %%" 4, "max" 5)
eval "set ytics nomirror (" . ticks . ")"
set xlabel "operations that took no longer"
set lmargin 9
set rmargin 11
set tmargin 2.5
set bmargin 6
plot for [i = 1 : words(styles)] data index i - 1 using 1:2 \
		with linespoints lt word(styles, i), \
	ends using 1:2:3:4 with labels left offset 0.8, 0 \
		textcolor variable
