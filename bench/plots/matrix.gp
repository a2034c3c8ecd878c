# SPDX-License-Identifier: GPL-2.0
#
# matrix.gp - which variant, when: a line per load, a column per variant
#
# Given: name out W H source, columns (words), styles (words), cells (column
# row text shade style: the darker, the dearer; style 0 or the best's), names
# (row text), heads (row text), froms (row text: the evidence), rows.
load "style.gp"
n = words(columns)
unset border
unset xtics
unset ytics
unset grid
set lmargin at screen 235.0 / W
set rmargin at screen 1 - 95.0 / W
set tmargin at screen 0.995
set bmargin at screen 42.0 / H
set xrange [0.5 : n + 0.5]
set yrange [rows - 0.4 : -1.6]
do for [i = 1 : n] {
	set label word(columns, i) at first i, -1 center \
		textcolor lt word(styles, i) font "sans-serif:Bold,13"
}
set label "from" at first n + 0.5, -1 left offset 0.8, 0 \
	textcolor rgb grey font "sans-serif,11"
set style fill transparent solid 0.5 noborder
plot for [s = 1 : 4] cells using 1:($4 >= s ? $2 : NaN):(0.47):(0.44) \
		with boxxyerror lc rgb grey fs transparent solid 0.12 noborder, \
	for [i = 1 : n] cells using \
		($5 == int(word(styles, i)) ? $1 - 0.38 : NaN):2 \
		with points lt word(styles, i), \
	cells using ($1 + 0.04):2:3 with labels center textcolor rgb grey \
		font "sans-serif,12", \
	froms using (n + 0.5):1:2 with labels left offset 0.8, 0 \
		textcolor rgb grey font "sans-serif,11", \
	names using (0.5):1:2 with labels right offset -0.8, 0 \
		textcolor rgb grey font "sans-serif,12", \
	heads using (0.5):1:2 with labels right offset -0.8, 0 \
		textcolor rgb grey font "sans-serif:Bold,12"
