# SPDX-License-Identifier: GPL-2.0
#
# scaling.gp - speed-up against threads: ideal, bounds, the model's bands, and
# what was measured; both axes logarithmic
#
# Given: name out W H source, data (threads speed-up lo hi, a block per
# variant), bands (CPUs low high, a block per model; only a comment if there is
# none), bandstyles, styles (words), bounds (words: heights), boundstyles, ends
# (x y text style), notes (x y text style: at bounds and bands), most (CPUs),
# ticks, right (letters of room).
load "style.gp"
set logscale xy 2
set xrange [0.92:most * 1.08]
set yrange [0.5:most * 1.15]
set xlabel "threads, each with a CPU of its own"
set ylabel "times as fast as one thread"
eval "set xtics nomirror (" . ticks . ")"
eval "set ytics nomirror (0.5, " . ticks . ")"
set grid xtics ytics ls 20
set lmargin 8
set rmargin right
set tmargin 1
set bmargin 6
do for [i = 1 : words(bounds)] {
	set arrow from first 1, first word(bounds, i) \
		to first most, first word(bounds, i) nohead \
		lc rgb colour[int(word(boundstyles, i))] lw 1.2 dt 4
}
set arrow from 1, 1 to most, most nohead lc rgb grey lw 1 dt 3
set label "ideal" at most, most right offset -1.5, -0.3 \
	textcolor rgb grey font "sans-serif,11"
plot for [i = 1 : words(bandstyles)] bands index i - 1 using 1:2:3 \
		with filledcurves fs transparent solid 0.14 noborder \
		lc rgb colour[int(word(bandstyles, i))], \
	for [i = 1 : words(bandstyles)] bands index i - 1 using 1:2 \
		with lines lc rgb colour[int(word(bandstyles, i))] lw 1 dt 2, \
	for [i = 1 : words(bandstyles)] bands index i - 1 using 1:3 \
		with lines lc rgb colour[int(word(bandstyles, i))] lw 1 dt 2, \
	for [i = 1 : words(styles)] data index i - 1 using 1:2:3:4 \
		with yerrorbars lt word(styles, i) lw 1.4 dt 1, \
	for [i = 1 : words(styles)] data index i - 1 using 1:2 \
		with linespoints lt word(styles, i), \
	ends using 1:2:3:4 with labels left offset 0.8, 0 textcolor variable, \
	notes using 1:2:3:4 with labels right offset -0.5, 0.6 \
		textcolor variable font "sans-serif,11"
