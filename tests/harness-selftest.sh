#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# harness-selftest.sh - does the harness notice what it is there to notice?
#
# Runs tests that pass, fail, crash, hang, skip and leak, and compares the KTAP
# with harness-selftest.expected; then feeds ktap-summary with results that are
# whole, cut short, empty and out of order.
#
# Usage:   harness-selftest.sh PROGRAM
# Outputs: one line per check
# Exit:    0 all as expected; 1 not
# shellcheck disable=SC2317 # check() calls the functions
set -euo pipefail

here=$(dirname "$(realpath "$0")")
program=${1:?usage: harness-selftest.sh PROGRAM}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
bad=0

# check TEXT COMMAND...: COMMAND must succeed
check()
{
	local text=$1

	shift
	if "$@"; then
		echo "  ok      $text"
	else
		echo "  FAILED  $text"
		bad=1
	fi
}

# status N COMMAND...: COMMAND must exit with status N
status()
{
	local want=$1 got=0

	shift
	"$@" >"$tmp/out" 2>&1 || got=$?
	[ "$got" -eq "$want" ] && return
	echo "exit status $got, not $want:"
	cat "$tmp/out"
	return 1
}

# Process numbers and kernel stacks differ from run to run.
normalise()
{
	sed -E '/^  #     \[<0>\]/d; s/task [0-9]+ of process [0-9]+/task N of process N/' "$1"
}

no_hanger_left()
{
	local pid

	while read -r pid; do
		! kill -0 "$pid" 2>/dev/null || return 1
	done < <(sed -n 's/.* of process \([0-9]*\) (hanger).*/\1/p' "$tmp/all.ktap")
}

last_line_is()
{
	[ "$(tail -n 1 "$tmp/out")" = "$1" ] && return
	tail -n 5 "$tmp/out"
	return 1
}

check "a run with failures exits with 1" status 1 "$program"
cp "$tmp/out" "$tmp/all.ktap"
normalise "$tmp/all.ktap" >"$tmp/normal"
check "every end has its line" diff -u "$here/harness-selftest.expected" "$tmp/normal"
check "what hung is dead, children and all" no_hanger_left
check "a run that passes exits with 0" status 0 "$program" -t 'pass*'
cp "$tmp/out" "$tmp/pass.ktap"
check "a skipped test is no failure" status 0 "$program" -t 'skip*'
check "a filter that matches nothing exits with 1" status 1 "$program" -t nothing
check "several filters select what any of them does" status 0 "$program" -l -v once -v 'nothing' -t 'pass_m*' -t pass_once
check "and no more" last_line_is "once pass_once 5"
for k in 1 2 3; do
	"$program" -l -p "$k/3"
done | sort >"$tmp/parts"
check "parts are disjoint, and all together" diff -u <("$program" -l | sort) "$tmp/parts"
check "a part that there is not" status 2 "$program" -l -p 4/3
check "a list does not run anything" status 0 "$program" -l

check "-W stops at a wreck" status 1 "$program" -W -t fail_leak -t pass_once
check "and asks no more" last_line_is "not ok 1 variant"
check "-W stops after a time-out, too" status 1 "$program" -W -t fail_hang -t pass_once
check "with no further group" last_line_is "not ok 1 variant"

# planned LINE...: run a plan of these lines
planned()
{
	printf '%s\n' "$@" >"$tmp/plan"
	"$program" -W -P "$tmp/plan"
}

lacks() { ! grep -q "$1" "$tmp/out"; }

# verdicts: those of the last run, without the notes
verdicts() { grep -v '^#' "$tmp/out"; }

# verdicts_are LINE...
verdicts_are() { diff -u <(printf '%s\n' "KTAP version 1" "$@") <(verdicts); }

check "a plan that passes exits with 0" status 0 planned "a1 once pass_once 5 0 -" "b2 variant pass_plain 5 0 a1"
check "its verdicts are of its labels, in its order" verdicts_are 1..2 "ok 1 a1" "ok 2 b2"
check "no name of a test is printed" lacks pass_
check "the plan is gone" [ ! -e "$tmp/plan" ]
check "a check that is turned round fails" status 1 planned "a1 variant pass_plain 5 1 -"
check "as its label" verdicts_are 1..1 "not ok 1 a1"
check "a check that there is not turns nothing round" status 0 planned "a1 variant pass_plain 5 2 -"
check "what needs a test that failed is not asked" status 1 planned \
	"a1 variant fail_crash 5 0 -" "b2 variant pass_plain 5 0 a1" "c3 variant pass_plain 5 0 b2"
check "and says so" verdicts_are 1..3 "not ok 1 a1" "not ok 2 b2 # NOT-ASKED a1" "not ok 3 c3 # NOT-ASKED b2"
check "a limit of the plan's is kept" status 1 planned "a1 variant fail_hang 2 0 -" "b2 once pass_once 5 0 -"
check "and -W ends the plan there" verdicts_are 1..2 "not ok 1 a1 # TIMEOUT after 2 s"
for line in "" "a1 once pass_once 5 0" "a1 once pass_once 5 0 - x" "a1 once nothing 5 0 -" "a1 once pass_plain 5 0 -" \
	"a1 once pass_once 0 0 -"; do
	check "this is no plan: '$line'" status 1 planned "$line"
	check "and nothing runs" grep -q "^Bail out!" "$tmp/out"
done
check "a plan that is not there" status 1 "$program" -P "$tmp/nothing"

summary=$here/ktap-summary
check "summary of a good run" status 0 "$summary" run="$tmp/pass.ktap"
check "its last line" last_line_is "5 passed, 0 failed, 0 skipped"
check "summary of a bad run" status 1 "$summary" run="$tmp/all.ktap"
check "its last line" last_line_is "5 passed, 14 failed, 4 skipped"
check "a failure is shown with its diagnostics" grep -q "first sentence" "$tmp/out"
check "a time-out is shown by name" grep -q "fail_hang # TIMEOUT" "$tmp/out"
check "two runs are added up" status 1 "$summary" a="$tmp/pass.ktap" b="$tmp/all.ktap"
check "their last line" last_line_is "10 passed, 14 failed, 4 skipped"

# The good run, ended too early in four places, and two tests swapped.
head -n 6 "$tmp/pass.ktap" >"$tmp/cut"
check "cut within a group" status 1 "$summary" run="$tmp/cut"
check "what is missing has failed" last_line_is "1 passed, 4 failed, 0 skipped"
sed '/^ok 1/,$d' "$tmp/pass.ktap" >"$tmp/cut"
check "cut between groups" status 1 "$summary" run="$tmp/cut"
sed '$d' "$tmp/pass.ktap" >"$tmp/cut"
check "cut before the last line" status 1 "$summary" run="$tmp/cut"
: >"$tmp/cut"
check "an empty file" status 1 "$summary" run="$tmp/cut"
check "an empty file beside a good one" status 1 "$summary" a="$tmp/pass.ktap" b="$tmp/cut"
check "a file that is not there" status 1 "$summary" run="$tmp/nothing"
sed '/ok 2 pass_leaves/d' "$tmp/pass.ktap" >"$tmp/cut"
check "a test that is missing in the middle" status 1 "$summary" run="$tmp/cut"
echo "Bail out! no device" >"$tmp/cut"
check "a run that bailed out" status 1 "$summary" run="$tmp/cut"
printf 'KTAP version 1\n1..0\n' >"$tmp/cut"
check "a run of nothing" status 1 "$summary" run="$tmp/cut"

# run-suite in a tree where vm/run says how it was called, and runs nothing. What
# guests there are otherwise does not matter (ARCH=).
fake=$tmp/tree
mkdir -p "$fake/tests" "$fake/vm" "$tmp/build/bin"
cp "$here/run-suite" "$here/ktap-summary" "$fake/tests/"
cp "$here/../vm/arch.sh" "$fake/vm/"
ln -s "$(realpath "$program")" "$tmp/build/bin/mmu-tests"
echo all: >"$fake/tests/Makefile"
printf '#!/bin/sh\necho "  ok"\n' >"$fake/tests/harness-selftest.sh"
cat >"$fake/vm/run" <<-'END'
	#!/bin/bash
	printf '%s\n' "$@" >"$BUILD/called"
	while [ "$1" != -- ]; do shift; done
	exec "$BUILD/bin/$2" "${@:3}"
	END
ln -s /bin/true "$fake/vm/build-modules"
chmod +x "$fake/tests/harness-selftest.sh" "$fake/vm/run"
suite() { env -u ARCH BUILD="$tmp/build" "$fake/tests/run-suite" "$@"; }

# handed_on WORD...: vm/run was called with these words, one behind the other,
# in front of --
handed_on()
{
	local words

	words=$(sed '/^--$/q' "$tmp/build/called" | tr '\n' '|')
	[[ $words == *"|$(printf '%s|' "$@")"* ]] && return
	echo "vm/run was called with $words"
	return 1
}

check "run-suite runs" status 0 suite 6.12 --files "$fake" --mem 2G \
	--append a=1 --append "b=2 c" -- -t pass_plain
check "its --files reaches vm/run" handed_on --files "$fake"
check "and its --mem" handed_on --mem 2G
check "and each --append, as one word" handed_on --append a=1 --append "b=2 c"
check "whose tests are those asked for" last_line_is "1 passed, 0 failed, 0 skipped"
check "options come before kernels, too" status 0 suite --mem 512M 6.1 -- -t pass_plain
check "and mean the same" handed_on --mem 512M
check "an option without its value" status 1 suite 6.12 --mem
check "says so" grep -q "mem wants a value" "$tmp/out"
check "an option that there is not" status 1 suite 6.12 --memory 1G
check "a folder that is not there" status 1 suite --files "$tmp/nothing" 6.12

[ "$bad" -eq 0 ] && echo "the harness works" || echo "the harness does NOT work"
exit "$bad"
