# SPDX-License-Identifier: GPL-2.0
#
# icicle.gp - who calls whom, and how many instructions each takes: a panel for
# the floor and each variant, all of one scale
#
# Given: name out W H source, data (x y, half width, half height, own: 1
# where the floor has no such function; one block per panel), styles (words), texts (x y
# text of the frames), heads (y text, one per panel), xmax, ymax, xlab.
load "style.gp"
set border 1 lc rgb grey lw 0.8
unset ytics
set grid xtics ls 20
set xrange [0:xmax]
set yrange [ymax:0]
set xlabel xlab
set lmargin 2
set rmargin 2
set tmargin 0.3
set bmargin 6
set style fill transparent solid 0.3 border
plot for [i = 1 : words(styles)] data index i - 1 \
		using ($5 == 1 ? $1 : NaN):2:3:4 with boxxyerror \
		lc rgb colour[int(word(styles, i))] lw 0.6 dt 1 \
		fs transparent solid 0.34 border, \
	for [i = 1 : words(styles)] data index i - 1 \
		using ($5 == 0 ? $1 : NaN):2:3:4 with boxxyerror \
		lc rgb colour[int(word(styles, i))] lw 0.6 dt 1 \
		fs transparent solid 0.08 border, \
	texts using 1:2:3 with labels left offset 0.3, 0 \
		textcolor rgb grey font "sans-serif,10", \
	heads using (0):1:2 with labels left offset 0.3, 0 \
		textcolor rgb grey font "sans-serif:Bold,12"
