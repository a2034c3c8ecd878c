# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034 # those who source this use it
#
# vm/arch.sh - what guests are: this machine's kind, or, with ARCH=, another.
#
# Usage:   . vm/arch.sh     (vm/lib.sh does so; for scripts that need no more)
# Inputs:  ARCH=x86_64|arm64, BUILD=dir
# Gives:   ARCH, in the kernel's words, and HOST_ARCH; DEB_ARCH and DEB_HOST_ARCH
#          in Debian's; TRIPLET and HOST_TRIPLET in the compiler's
#          QEMU_SYSTEM, the emulator's name; LOADER, what starts programs there,
#          and HOST_LOADER, here; IMAGE, where a kernel's tree has what boots
#          BUILD, which has guests of one kind only: build/ those of this
#          machine's kind, build/ARCH those of another
#          CROSS=y, and CROSS_COMPILE exported, where guests are of another kind

# arch_fail SENTENCE: as die() in vm/lib.sh
arch_fail()
{
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# arch_name WORD: the kernel's name for it
arch_name()
{
	case $1 in
	x86_64 | x86 | amd64) echo x86_64 ;;
	arm64 | aarch64) echo arm64 ;;
	*) arch_fail "there are no guests for ARCH=$1: only x86_64 and arm64. Choose one with ARCH=." ;;
	esac
}

deb_arch() { echo "${1/x86_64/amd64}"; }
triplet() { echo "${1/arm64/aarch64}-linux-gnu"; }

HOST_ARCH=$(arch_name "$(uname -m)") || exit 1
ARCH=$(arch_name "${ARCH:-$HOST_ARCH}") || exit 1
DEB_HOST_ARCH=$(deb_arch "$HOST_ARCH")
DEB_ARCH=$(deb_arch "$ARCH")
HOST_TRIPLET=$(triplet "$HOST_ARCH")
TRIPLET=$(triplet "$ARCH")
QEMU_SYSTEM=qemu-system-${TRIPLET%%-*}

# loader_of ARCH, image_of ARCH
loader_of() { [ "$1" = arm64 ] && echo /lib/ld-linux-aarch64.so.1 || echo /lib64/ld-linux-x86-64.so.2; }
image_of() { [ "$1" = arm64 ] && echo arch/arm64/boot/Image || echo arch/x86/boot/bzImage; }
LOADER=$(loader_of "$ARCH")
HOST_LOADER=$(loader_of "$HOST_ARCH")
IMAGE=$(image_of "$ARCH")

BUILD=${BUILD:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/build}
CROSS=''
unset CROSS_COMPILE
if [ "$ARCH" != "$HOST_ARCH" ]; then
	CROSS=y
	# A script that was started by one of ours has it already
	BUILD=${BUILD%"/$ARCH"}/$ARCH
	export ARCH CROSS_COMPILE=$TRIPLET-
fi
export BUILD
