# SPDX-License-Identifier: GPL-2.0
#
# beyond.gp - which share of the operations took longer: steps, both axes
# logarithmic, the same for all panels of a scenario
#
# Given: name out W H source heading, data (seconds share, one block per
# curve), points (seconds share: half, one in 10, 100, 1000; a block each),
# styles, names (words, of the curves), xmin, xmax, ymin, ticks (positions on
# the x axis with their text).
load "style.gp"
set title heading offset 0, -0.5
set logscale xy 10
set xrange [xmin:xmax]
set yrange [ymin:1.1]
eval "set xtics nomirror (" . ticks . ")"
set ytics nomirror ("all" 1, "half" 0.5, "1 in 10" 0.1, "1 in 100" 0.01, \
	"1 in 1000" 0.001, "1 in 10^4" 0.0001, "1 in 10^5" 0.00001)
set ylabel "of the operations took longer" offset 0.5, 0
set lmargin 13
set rmargin 2
set tmargin 2.5
set bmargin 6
set grid xtics ytics ls 20
do for [i = 1 : words(names)] {
	set label 100 + i word(names, i) at graph 0.06, \
		graph 0.05 + 0.075 * (words(names) - i) left offset 0.5, 0 \
		textcolor lt word(styles, i) font "sans-serif,12"
	set label 200 + i "" at graph 0.04, \
		graph 0.05 + 0.075 * (words(names) - i) \
		point lt word(styles, i)
}
plot for [i = 1 : words(styles)] data index i - 1 using 1:2 \
		with steps lt word(styles, i), \
	for [i = 1 : words(styles)] points index i - 1 using 1:2 \
		with points lt word(styles, i)
