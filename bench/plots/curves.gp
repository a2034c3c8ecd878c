# SPDX-License-Identifier: GPL-2.0
#
# curves.gp - one curve per variant over the pages of a batch or call, or something else,
# with whiskers
#
# Given: name out W H source, data (x y lo hi, one block per curve), ends
# (x y text style: names at the ends of the curves), styles (words), xlab,
# ylab, ymin, ymax, logy (1: both axes are logarithmic), ticks (positions on the x
# axis), xmin, xmax, right (letters of room for the names), bar, bartext (bar 0: none).
load "style.gp"
set logscale x 2
if (logy) { set logscale y 10 }
set xrange [xmin:xmax]
set yrange [ymin:ymax]
set xlabel xlab
set ylabel ylab
eval "set xtics nomirror (" . ticks . ")"
set lmargin 10
set rmargin right
set tmargin 1
set bmargin 6
if (bar > 0) {
	set arrow from graph 0, first bar to graph 1, first bar nohead ls 21
	set label bartext at graph 0.2, first bar offset 0, 0.6 \
		textcolor rgb grey font "sans-serif,11"
}
plot for [i = 1 : words(styles)] data index i - 1 using 1:2:3:4 \
		with yerrorbars lt word(styles, i) lw 1 dt 1, \
	for [i = 1 : words(styles)] data index i - 1 using 1:2 \
		with linespoints lt word(styles, i), \
	ends using 1:2:3:4 with labels left offset 0.8, 0 \
		textcolor variable
