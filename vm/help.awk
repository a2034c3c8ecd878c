# SPDX-License-Identifier: GPL-2.0
#
# vm/help.awk - print the targets of a Makefile with their `##` texts, and the
# variables its head names.
BEGIN { print "Usage: make TARGET [VARIABLE=value ...]" }

/^##@ / { printf "\n%s:\n", substr($0, 5) }

match($0, /^[a-z-]+:.*## /) {
	target = $0
	sub(/:.*/, "", target)
	printf "  %-11s %s\n", target, substr($0, RSTART + RLENGTH)
}

/^# What can be said/ { head = 1; next }
head && /^#   / { variables = variables "  " substr($0, 5) "\n" }
head && !/^#/ { head = 0 }

END { printf "\nVariables:\n%s", variables }
