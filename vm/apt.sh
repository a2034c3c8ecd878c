# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# vm/apt.sh - download and unpack Debian packages privately, installing nothing.
#
# Usage:   . vm/lib.sh; . vm/apt.sh
# Inputs:  the host's own apt configuration (mirror, proxy, keys)
#          DEBIAN_MIRROR=url  instead of the mirror found there
# Outputs: build/apt, build/apt-SUITE (package lists and state of our own; the
#          host's stay as they are, and no root is needed)
# Gives:   papt_use, papt_update, papt, papt_names, papt_field, papt_unpack

# The releases whose packages we take: what can come from the first does.
PAPT_SUITES=(bookworm trixie)

# papt_use SUITE: from here on, that suite with its backports and its security
# updates. Each has lists of its own, so that no version of one is a candidate
# in the other.
papt_use()
{
	PAPT_SUITE=$1
	PAPT=$BUILD/apt
	[ "$1" = "${PAPT_SUITES[0]}" ] || PAPT=$BUILD/apt-$1
	PAPT_OPTS=()
}
papt_use "${PAPT_SUITES[0]}"

# The Debian mirror this machine already uses, whatever file format names it.
papt_mirror()
{
	local uri

	if [ -n "${DEBIAN_MIRROR:-}" ]; then
		echo "${DEBIAN_MIRROR%/}"
		return
	fi
	# Asks the configuration: there need not be package lists yet
	uri=$(apt-get update --print-uris 2>/dev/null |
		sed -n "s,^'\(.*/debian\)/dists/.*,\1,p")
	uri=${uri%%$'\n'*}
	[ -n "$uri" ] ||
		die "apt knows no Debian mirror on this machine. Say which to take: DEBIAN_MIRROR=http://.../debian in front of the command; Debian's list of mirrors has one near you."
	echo "${uri%/}"
}

# papt_keyring: what the suite's lists are signed with. A host that has not been
# updated since the suite came has no key of it: then the newer package, which
# the older key has signed, brings it.
papt_keyring()
{
	local keys=usr/share/keyrings own=$PAPT/keyring

	[ -r "/$keys/debian-archive-keyring.gpg" ] ||
		die "/$keys/debian-archive-keyring.gpg is missing, and without it no package can be trusted. Install debian-archive-keyring."
	if [ "$PAPT_SUITE" = "${PAPT_SUITES[0]}" ] ||
		compgen -G "/$keys/debian-archive-$PAPT_SUITE-automatic.*" >/dev/null; then
		echo "/$keys/debian-archive-keyring.gpg"
		return
	fi
	[ -d "$own" ] || (
		papt_use "${PAPT_SUITES[0]}"
		papt_update 24
		papt_unpack "$own.$$" debian-archive-keyring
		publish "$own.$$" "$own"
	) >&2
	echo "$own/$keys/debian-archive-keyring.gpg"
}

papt_configure()
{
	local mirror keyring new architectures=$DEB_HOST_ARCH architecture

	keyring=$(papt_keyring)
	mirror=$(papt_mirror)
	[ -z "$CROSS" ] || architectures="$architectures $DEB_ARCH"
	mkdir -p "$PAPT/sources" "$PAPT/lists/partial" "$PAPT/cache/archives/partial"
	new=$PAPT/new.$$
	cat >"$new" <<-END
	# Written by vm/apt.sh; for downloads of this project only.
	Types: deb
	URIs: $mirror
	Suites: $PAPT_SUITE $PAPT_SUITE-backports
	Components: main
	Architectures: $architectures
	Signed-By: $keyring

	Types: deb
	URIs: ${mirror%/debian}/debian-security
	Suites: $PAPT_SUITE-security
	Components: main
	Architectures: $architectures
	Signed-By: $keyring
	END
	if cmp -s "$new" "$PAPT/sources/debian.sources"; then
		rm -f "$new"
	else
		mv "$new" "$PAPT/sources/debian.sources"
		rm -f "$PAPT/updated"
	fi
	PAPT_OPTS=(
		-o Dir::Etc::sourcelist=/dev/null
		-o Dir::Etc::sourceparts="$PAPT/sources"
		-o Dir::Etc::preferencesparts=/dev/null
		-o Dir::State::lists="$PAPT/lists"
		-o Dir::Cache="$PAPT/cache"
		-o Dir::Cache::pkgcache=pkgcache.bin
		-o Dir::Cache::srcpkgcache=
		-o APT::Update::Post-Invoke-Success::=true
		-o APT::Sandbox::User=root
		-o APT::Get::List-Cleanup=false
		-o Acquire::Languages=none
		-o Acquire::Retries=3
		-o Debug::NoLocking=1
	)
	for architecture in $architectures; do
		PAPT_OPTS+=(-o "APT::Architectures::=$architecture")
	done
}

# papt TOOL ARGS...: apt-get or apt-cache, with our lists
papt()
{
	local tool=$1

	shift
	[ -n "${PAPT_OPTS:-}" ] || papt_configure
	LC_ALL=C "$tool" "${PAPT_OPTS[@]}" "$@"
}

# papt_update [HOURS]: fetch the lists unless they are younger than that (24)
papt_update()
{
	[ -n "${PAPT_OPTS:-}" ] || papt_configure
	exec {PAPT_LOCK}>"$PAPT/lock"
	flock "$PAPT_LOCK"
	if [ "$(age_hours "$PAPT/updated")" -ge "${1:-24}" ]; then
		step_note "package lists"
		papt apt-get update || true
		[ -n "$(papt apt-cache pkgnames linux-image 2>/dev/null | head -n 1)" ] ||
			die "no Debian package list could be fetched from $(papt_mirror). Is there a network? (A proxy goes into apt's own configuration; another mirror into DEBIAN_MIRROR=.)"
		touch "$PAPT/updated"
	fi
	exec {PAPT_LOCK}>&-
}

# papt_names REGEX: names of packages that exist (not merely named somewhere)
papt_names()
{
	papt apt-cache search --names-only "$1" | awk '{ print $1 }'
}

# papt_field PACKAGE FIELD
papt_field()
{
	papt apt-cache show --no-all-versions "$1" |
		sed -n "s/^$2: //p" | head -n 1
}

# papt_unpack FOLDER PACKAGE...: download and unpack into FOLDER, which must be
# a temporary one; PACKAGE may be name=version or name/suite.
papt_unpack()
{
	local dest=$1 debs total have pid deb

	shift
	debs=$dest.debs
	mkdir -p "$dest" "$debs"
	total=$(papt apt-cache show --no-all-versions "${@%%[=/]*}" 2>/dev/null |
		awk '/^Size: / { s += $2 } END { printf "%d", s / 1000000 }')
	(cd "$debs" && papt apt-get -qq download "$@") &
	pid=$!
	while kill -0 "$pid" 2>/dev/null; do
		have=$(du -sb "$debs" 2>/dev/null | awk '{ printf "%d", $1 / 1000000 }' || true)
		step_note "downloaded ${have:-0} of $total MB"
		sleep 0.3
	done
	wait "$pid" ||
		die "the download of $* failed. Without a network nothing can be fetched; with one, the lists may be out of date (rm -r ${PAPT#"$ROOT"/} and try again), or the disk is full ($(df -Ph "$BUILD" | awk 'NR == 2 { print $4 }') free)."
	for deb in "$debs"/*.deb; do
		step_note "unpacking ${deb##*/}"
		dpkg -x "$deb" "$dest" ||
			die "${deb##*/} could not be unpacked; is the disk full ($(df -Ph "$BUILD" | awk 'NR == 2 { print $4 }') free)?"
	done
	rm -rf "$debs"
}

# papt_missing SUITE PACKAGE...: the packages, in that suite's versions, that
# this machine lacks in order to run PACKAGE; as name=version. libc stays the
# host's: a second one would not fit the host's loader.
papt_missing()
{
	local suite=$1

	shift
	papt_would_install "$suite" "$@" |
		grep -Ev '^(libc6|libc-bin|libc-l10n|locales)=' || true
}

# papt_closure SUITE PACKAGE...: all that a guest of another kind than this
# machine needs in order to run PACKAGE, its libc included
papt_closure()
{
	papt_would_install "$1" "${@:2}" -o Dir::State::status=/dev/null |
		grep ":$DEB_ARCH=" || true
}

# papt_would_install SUITE ARGS...: what apt-get install ARGS would; name=version
papt_would_install()
{
	papt apt-get install -y --no-install-recommends -t "$1" -s "${@:2}" |
		awk '$1 == "Inst" {
			version = $3 ~ /^\[/ ? $4 : $3
			sub(/^\(/, "", version)
			print $2 "=" version
		}'
}
