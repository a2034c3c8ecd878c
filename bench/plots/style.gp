# SPDX-License-Identifier: GPL-2.0
#
# style.gp - how all figures look; loaded first by each of them.
#
# Axes and text are a mid grey, readable on light and on dark paper. A variant
# is told by colour (Okabe and Ito's, safe for the colour-blind), by point
# shape and by dash, the same everywhere:
#   1 the floor   2 spinlock   3 split-ptl   4 rcu-list   5 interval
#   6.. others
# 10 more: the same, hollow: another condition of the same variant.
# 20 more: the same shape in grey: below what the machine can see.
grey = "#808080"
set terminal svg size W,H dynamic noenhanced font "sans-serif,13" name name
set output out

array colour[7] = [grey, "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"]
array full[7] = [1, 5, 7, 9, 13, 11, 15]
array open[7] = [6, 4, 6, 8, 12, 10, 14]
array line[7] = [3, 1, 2, 4, 5, 1, 2]
do for [i = 1:7] {
	set linetype i lc rgb colour[i] lw 1.8 pt full[i] ps 0.8 dt line[i]
	set linetype i + 10 lc rgb colour[i] lw 1.8 pt open[i] ps 0.8 dt line[i]
	set linetype i + 20 lc rgb grey lw 1 pt open[i] ps 0.7 dt 1
}
set style line 20 lc rgb grey lw 0.4 dt 1
set style line 21 lc rgb grey lw 1.2 dt 2

set border 3 lc rgb grey lw 0.8
set tics nomirror textcolor rgb grey scale 0.6
set xlabel textcolor rgb grey
set ylabel textcolor rgb grey
set title textcolor rgb grey
set grid ytics ls 20
set bars 0.5
set pointintervalbox 0
set key off

# Where it was measured, under every figure.
set label 900 source at screen 0.01, character 1.5 left \
	textcolor rgb grey font "sans-serif,10"
