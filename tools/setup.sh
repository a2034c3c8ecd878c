# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# tools/setup.sh - the programs that the book and lint need.
#
# Usage:   . vm/lib.sh; . tools/setup.sh; need_tools pandoc dot
# Inputs:  SETUP=no  only say what is missing
#
# Missing packages are named first, then installed by apt (through sudo when
# not root), as the other commands of this repository do.

# tool -> Debian package
package_of()
{
	case $1 in
	dot) echo graphviz ;;
	kernel-doc | checkpatch) echo perl ;;
	*) echo "$1" ;;
	esac
}

install_packages()
{
	local sudo=()

	[ "$(id -u)" -eq 0 ] || sudo=(sudo)
	step_note "package lists"
	"${sudo[@]}" apt-get update -qq
	step_note "installing $*"
	"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
		apt-get install -y --no-install-recommends "$@"
}

# need_tools TOOL...: have them, or die with a sentence
need_tools()
{
	local tool missing=()

	for tool; do
		have "$tool" || missing+=("$(package_of "$tool")")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	note "Missing Debian packages: ${missing[*]}"
	[ "${SETUP:-}" != no ] ||
		die "SETUP=no forbids installing them. Install them yourself: apt-get install ${missing[*]}"
	have apt-get ||
		die "this machine has no apt-get. Install ${missing[*]} the way it does such things."
	step -l setup-tools "install ${missing[*]}" \
		install_packages "${missing[@]}" ||
		die "${missing[*]} could not be installed. Install them yourself: apt-get install ${missing[*]}"
}
