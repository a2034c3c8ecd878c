# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# vm/lib.sh - what every script of this repository shares: places, messages,
# steps that show their progress, clean-up.
#
# Usage:   . "$(dirname "$0")/lib.sh"      (from a bash script in vm/)
#          . "$(dirname "$0")/../vm/lib.sh" (from another folder)
# Inputs:  V=1            show everything a step prints, not only its progress
#          BUILD=dir      where everything built or downloaded goes (build/)
#          ARCH=          what guests are: see vm/arch.sh
# Gives:   $ROOT $BUILD $LOGS; say note warn usage die have step step_note at_exit
#          tmpdir elapsed age_hours publish cpu_model hash_of need_space
#
# A script that dies does so through die(): one sentence with the cause, one
# with the next step, and a status that is not zero.

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=vm/arch.sh
. "$ROOT/vm/arch.sh"
LOGS=$BUILD/log
V=${V:-}
export V
# What make was called with is for our Makefile, not for those that we call
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES

PATH=$PATH:/usr/sbin:/sbin

mkdir -p "$LOGS" 2>/dev/null || {
	echo "Cannot create $LOGS: is the disk full, or the folder not yours? Free some space or set BUILD=/another/folder." >&2
	exit 125
}

say()  { printf '%s\n' "$*"; }
note() { printf '%s\n' "$*" >&2; }
warn() { printf 'warning: %s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }
# The head of the script, down to what it tells shellcheck
usage() { sed -n '3,/^# shellcheck/{/^# shellcheck/d;s/^# \{0,1\}//p}' "$0"; }

# die [-s STATUS] SENTENCE...
die()
{
	local status=1

	if [ "${1:-}" = -s ]; then
		status=$2
		shift 2
	fi
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit "$status"
}

# --- clean-up: each script registers what must be undone, once ---------------

AT_EXIT=()
STEP_PID=
CHILD=

at_exit() { AT_EXIT+=("$*"); }

run_at_exit()
{
	local status=$? i

	trap - EXIT INT TERM HUP
	set +e
	if [ -n "$CHILD" ]; then
		kill -TERM "$CHILD" 2>/dev/null
		wait "$CHILD"
	fi
	stop_step
	for ((i = ${#AT_EXIT[@]} - 1; i >= 0; i--)); do
		eval "${AT_EXIT[i]}"
	done
	exit "$status"
}

trap run_at_exit EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# tmpdir VAR: a fresh folder below build/, removed when the script ends. Below
# build/ and not /tmp, so that a rename out of it is atomic. What scripts that
# were killed left behind goes, too.
tmpdir()
{
	local dir pid

	mkdir -p "$BUILD/tmp" || die -s 125 "cannot write to $BUILD."
	for dir in "$BUILD/tmp"/*.*.*; do
		pid=${dir%.*}
		pid=${pid##*.}
		[[ ! $pid =~ ^[0-9]+$ ]] || [ -e "/proc/$pid" ] || rm -rf -- "$dir"
	done
	dir=$(mktemp -d "$BUILD/tmp/${0##*/}.$$.XXXXXX") ||
		die -s 125 "cannot make a folder below $BUILD/tmp; is the disk full?"
	at_exit "rm -rf -- $(printf %q "$dir")"
	printf -v "$1" %s "$dir"
}

# publish TEMP FINAL: put a finished file or folder where others look for it.
publish()
{
	if [ -d "$1" ] && [ -e "$2" ]; then
		rm -rf -- "$2.old"
		mv -T -- "$2" "$2.old"
	fi
	mv -T -- "$1" "$2"
	rm -rf -- "$2.old"
}

# only_one NAME: wait until no other script holds NAME; ours until we end
only_one()
{
	mkdir -p "$BUILD"
	exec {ONLY_ONE}>"$BUILD/.lock-$1"
	flock "$ONLY_ONE"
}

# cpu_model: this machine's, where it has a name
cpu_model()
{
	# Without /sys, as in a chroot, lscpu gives up
	{ LC_ALL=C lscpu 2>/dev/null || cat /proc/cpuinfo; } |
		sed -n 's/^[Mm]odel name[[:space:]]*: *//p' | awk 'NR == 1'
}

# hash_of: a short name for what is on standard input
hash_of() { sha256sum | cut -c1-16; }

# age_hours FILE: hours since it was written (a large number when absent)
age_hours()
{
	[ -e "$1" ] || { echo 999999; return; }
	echo $((($(date +%s) - $(stat -c %Y "$1")) / 3600))
}

# need_space MEGABYTES WHAT
need_space()
{
	local free

	free=$(df -Pm "$BUILD" | awk 'NR == 2 { print $4 }')
	[ "${free:-0}" -ge "$1" ] ||
		die -s 125 "$2 needs about $1 MB, and $BUILD has $free MB free. Free some space, or set BUILD=/another/folder."
}

# --- steps -------------------------------------------------------------------

# seconds.tenths since $1 (an EPOCHREALTIME)
elapsed()
{
	local now=${EPOCHREALTIME/[.,]/} then=${1/[.,]/} t

	t=$(((now - then) / 100000))
	echo "$((t / 10)).$((t % 10))"
}

stop_step()
{
	local pid=$STEP_PID

	[ -n "$pid" ] || return 0
	STEP_PID=
	kill -TERM -- "-$pid" 2>/dev/null || return 0
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		kill -0 -- "-$pid" 2>/dev/null || return 0
		sleep 0.1
	done
	kill -KILL -- "-$pid" 2>/dev/null || true
}

# step_note TEXT: called from inside a step, says how far it is
step_note()
{
	[ -z "${STEP_NOTE:-}" ] || printf '%s\n' "$*" >"$STEP_NOTE" 2>/dev/null || true
}

# child COMMAND...: run a script in the foreground, yet end it when this one is
# told to end: bash by itself would first wait for it.
child()
{
	local status=0

	# The trap of INT does not reach a background command: the kill does
	"$@" <&0 &
	CHILD=$!
	wait "$CHILD" || status=$?
	CHILD=
	return "$status"
}

# fail_text NAME LOG: what went wrong. When a script of ours ended with die(),
# its sentence is all that matters; else the end of the log is.
fail_text()
{
	local said

	said=$(tail -n 15 "$2" | sed 's/^[ |]*//' |
		grep -E '^(setup|prepare|accel|run|mkinitramfs|debug-kernel|(fetch|build)-[a-z]+): ' |
		tail -n 1 || true)
	if [ -n "$said" ]; then
		note "  FAIL $1; ${2#"$ROOT"/} has it all"
		note "$said"
	else
		note "  FAIL $1. The end of ${2#"$ROOT"/}:"
		tail -n 15 "$2" | sed 's/^/       | /' >&2
	fi
}

# step [-q] [-s] [-l LOGNAME] NAME COMMAND...: run COMMAND (a function will do) with
# its output in build/log/LOGNAME.log. A terminal sees one live line; a pipe
# one line every 5 s, and one at the end (with -q: none if it took under 2 s).
# When COMMAND fails, the end of its log is shown (with -s, soft: only that it
# failed) and its status returned.
step()
{
	local name log='' quiet='' soft='' status=0 start=$EPOCHREALTIME last=0 t text notefile
	local tick=0.2

	while :; do
		case $1 in
		-q) quiet=y; shift ;;
		-s) soft=y; shift ;;
		-l) log=$2; shift 2 ;;
		*) break ;;
		esac
	done
	name=$1
	shift
	[ -n "$log" ] || log=$(printf %s "$name" | tr -c 'A-Za-z0-9.\n' - | tr -s -)
	log=$LOGS/$log.log
	mkdir -p "$LOGS"
	notefile=$(mktemp "$LOGS/.note.XXXXXX")

	if [ -n "$V" ]; then
		note "==> $name"
		set -m
		(trap - EXIT INT TERM HUP; STEP_PID=''; AT_EXIT=(); STEP_NOTE=$notefile
		 "$@") </dev/null > >(trap '' TERM; exec tee "$log" >&2) 2>&1 &
		STEP_PID=$!
		set +m
		wait "$STEP_PID" || status=$?
	else
		set -m
		(trap - EXIT INT TERM HUP; STEP_PID=''; AT_EXIT=(); STEP_NOTE=$notefile
		 "$@") </dev/null >"$log" 2>&1 &
		STEP_PID=$!
		set +m
		while kill -0 "$STEP_PID" 2>/dev/null; do
			sleep "$tick"
			t=$(elapsed "$start")
			# Looking costs processes, and what takes long wants the CPU
			[ "${t%.*}" -lt 5 ] || tick=1
			text=$(tail -n 1 "$notefile" 2>/dev/null || true)
			if [ -t 2 ]; then
				[ "${t%.*}" -lt 1 ] ||
					printf '\r\033[K  ...  %s%s, %s s' "$name" "${text:+: $text}" "${t%.*}" >&2
			elif [ "${t%.*}" -ge $((last + 5)) ]; then
				last=${t%.*}
				note "  ...  $name${text:+: $text}, $last s"
			fi
		done
		wait "$STEP_PID" || status=$?
		[ ! -t 2 ] || printf '\r\033[K' >&2
	fi
	# What failed may have left others at work
	[ "$status" -eq 0 ] || stop_step
	STEP_PID=
	rm -f -- "$notefile"
	t=$(elapsed "$start")
	if [ "$status" -ne 0 ] && [ -n "$soft" ]; then
		note "  no   $name ($t s)"
	elif [ "$status" -ne 0 ]; then
		fail_text "$name ($t s)" "$log"
	elif [ -z "$quiet" ] || [ "${t%.*}" -ge 2 ]; then
		note "  ok   $name ($t s)"
	fi
	return "$status"
}
