# SPDX-License-Identifier: GPL-2.0
#
# style.gp - how all figures look; loaded first by each of them.
#
# Axes and text are a mid grey, readable on light and on dark paper. A variant
# is told by colour (Okabe and Ito's, safe for the colour-blind), by point
# shape and by dash, the same everywhere:
#   1 the floor   2 spinlock   3 split-ptl   4 rcu-list   5.. others
grey = "#808080"
set terminal svg size W,H dynamic noenhanced font "sans-serif,13" name name
set output out

set linetype 1 lc rgb "#808080" lw 1.6 pt 1  ps 0.8 dt 3
set linetype 2 lc rgb "#d55e00" lw 1.8 pt 5  ps 0.7 dt 1
set linetype 3 lc rgb "#0072b2" lw 1.8 pt 7  ps 0.8 dt 2
set linetype 4 lc rgb "#009e73" lw 1.8 pt 9  ps 0.9 dt 4
set linetype 5 lc rgb "#cc79a7" lw 1.8 pt 13 ps 0.9 dt 5
set linetype 6 lc rgb "#e69f00" lw 1.8 pt 11 ps 0.9 dt 1
# the same, hollow: another condition of the same variant
set linetype 12 lc rgb "#d55e00" lw 1.8 pt 4  ps 0.7
set linetype 13 lc rgb "#0072b2" lw 1.8 pt 6  ps 0.8
set linetype 14 lc rgb "#009e73" lw 1.8 pt 8  ps 0.9
set linetype 15 lc rgb "#cc79a7" lw 1.8 pt 12 ps 0.9
set linetype 16 lc rgb "#e69f00" lw 1.8 pt 10 ps 0.9
set style line 20 lc rgb "#808080" lw 0.4 dt 1
set style line 21 lc rgb "#808080" lw 1.2 dt 2

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
