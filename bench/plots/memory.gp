# SPDX-License-Identifier: GPL-2.0
#
# memory.gp - bytes for each page: against how many there are, and against how
# many of them share a leaf table; one axis of bytes for both
#
# Given: name out W H source, dense, sparse (pages bytes, a block per variant),
# styles, names (words), ymin, ymax, most (pages), tables (of the right panel).
load "style.gp"
set multiplot
set logscale xy
set logscale x 2
set yrange [ymin:ymax]
set ytics (10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000)
set grid xtics ytics ls 20
set tmargin at screen 0.90
set bmargin at screen 0.26
set ylabel "bytes for a page" offset 1.5, 0
set title "so many pages in a row" offset 0, -0.6
set xlabel "pages"
set xrange [0.9:most * 1.1]
set xtics (1, 8, 64, 512, "4k" 4096, "32k" 32768)
set lmargin at screen 0.115
set rmargin at screen 0.50
do for [i = 1 : words(names)] {
	set label 100 + i word(names, i) at graph 0.62, \
		graph 0.93 - 0.085 * (i - 1) left offset 1, 0 \
		textcolor lt word(styles, i) font "sans-serif,12"
	set label 200 + i "" at graph 0.60, graph 0.93 - 0.085 * (i - 1) \
		point lt word(styles, i)
}
plot for [i = 1 : words(styles)] dense index i - 1 using 1:2 \
		with lines lt word(styles, i), \
	for [i = 1 : words(styles)] dense index i - 1 every 8::2 * i \
		using 1:2 with points lt word(styles, i)
do for [i = 1 : words(names)] {
	unset label 100 + i
	unset label 200 + i
}
unset label 900
unset ylabel
set ytics format ""
set title sprintf("so many in each of %d tables", tables) offset 0, -0.6
set xlabel "pages in a table (of 512)"
set xrange [0.9:560]
set xtics (1, 4, 16, 64, 512)
set lmargin at screen 0.56
set rmargin at screen 0.98
plot for [i = 1 : words(styles)] sparse index i - 1 using 1:2 \
		with linespoints lt word(styles, i)
unset multiplot
