# SPDX-License-Identifier: GPL-2.0
#
# rows.gp - one row per cell: a point and its interval, names at the left
#
# Given: name out W H source, data (x lo hi row, one block per style), styles
# (words), names (row text), heads (row text), rows (how many), xlab, xmin,
# xmax, marks (words: where dashed lines stand, with their values above), band
# (half a width around 1 that is shaded, in percent; 0: none), ticks (places on
# a logarithmic axis; empty: linear).
load "style.gp"
set border 1 lc rgb grey lw 0.8
unset ytics
set grid xtics ls 20
set yrange [rows - 0.3 : -1.8]
set xrange [xmin:xmax]
if (strlen(ticks)) {
	set logscale x 2
	eval "set xtics nomirror (" . ticks . ")"
}
set xlabel xlab
set lmargin 25
set rmargin 3
set bmargin 6
set tmargin 0.5
if (band > 0) {
	set object 1 rectangle from first 1 - band / 100.0, -0.6 \
		to first 1 + band / 100.0, rows - 0.3 behind \
		fs transparent solid 0.15 noborder fc rgb grey
}
do for [i = 1 : words(marks)] {
	set arrow from first word(marks, i), -0.6 to first word(marks, i), rows \
		nohead ls 21
	set label word(marks, i) at first word(marks, i), -0.9 - 0.6 * (i % 2) \
		center textcolor rgb grey font "sans-serif,11"
}
plot for [i = 1 : words(styles)] data index i - 1 using 1:4:2:3 \
		with xerrorbars lt word(styles, i) lw 1.2 dt 1, \
	names using (xmin):1:2 with labels right offset -0.8, 0 \
		textcolor rgb grey, \
	heads using (xmin):1:2 with labels left offset -24, 0 \
		textcolor rgb grey font "sans-serif:Bold,13"
