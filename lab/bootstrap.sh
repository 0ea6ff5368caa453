#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# bootstrap.sh [GROUP]
#
# Bring this host to where `make run` and `make test` can work: the packages in host-packages.txt
# and a virtual environment in .venv. Run again, it checks both and does only what is missing; when
# nothing is, it takes a blink and says nothing. With GROUP, one of the optional dependencies in
# pyproject.toml, it installs these too, and the packages in host-packages-GROUP.txt if there are.
#
# The stamp in .venv holds a checksum of what the environment was made from. It is written last and
# removed first, so that an interrupted run leaves an environment without one, which is then made
# anew.

set -eu
cd "$(dirname "$0")/.."

group=${1-}
packages=lab/host-packages.txt
[ -z "$group" ] || [ ! -f "lab/host-packages-$group.txt" ] ||
	packages="$packages lab/host-packages-$group.txt"
stamp=.venv/dbos-lab.stamp
log=build/setup.log
oldest_python="(3, 11)"

# die SENTENCE NEXT: what went wrong, what to type, and what the tools said if they said anything.
die() {
	echo "setup: $1" >&2
	echo "  next: $2" >&2
	if [ -s "$log" ]; then
		tail -n 12 "$log" >&2
		echo "full log: $PWD/$log" >&2
	fi
	exit 3
}

say() {
	echo "setup: $*" >&2
}

# logged COMMAND...: what it says goes to the log; the screen is for what the reader must know.
logged() {
	"$@" >>"$log" 2>&1 </dev/null 9>&- # no daemon that a package starts may keep the lock
}

wanted_packages() {
	# The paths are one word each.
	# shellcheck disable=SC2086
	sed 's/#.*//' $packages | tr -s ' \t\n' '\n' | sed '/^$/d'
}

missing_packages() {
	# dpkg-query fails, and prints nothing here, for a package it has never heard of.
	wanted_packages | sort >build/wanted
	# shellcheck disable=SC2016 # what looks like a variable is dpkg-query's
	xargs dpkg-query --show --showformat '${db:Status-Status} ${Package}\n' <build/wanted \
		2>/dev/null | sed -n 's/^installed //p' | sort -u >build/installed
	comm -23 build/wanted build/installed | tr '\n' ' '
}

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		logged env DEBIAN_FRONTEND=noninteractive "$@"
	else
		logged sudo env DEBIAN_FRONTEND=noninteractive "$@"
	fi
}

apt_get() {
	as_root apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=2 --yes "$@"
}

install_packages() {
	say "installing packages: $1"
	if [ "$(id -u)" -ne 0 ]; then
		command -v sudo >/dev/null ||
			die "these packages are missing, and installing needs root: $1" \
				"as root: apt-get install --no-install-recommends $1"
		sudo -v || die "sudo refused, so these packages cannot be installed: $1" \
			"as root: apt-get install --no-install-recommends $1"
	fi
	# An installation that was interrupted is finished first. A repository that fails is no
	# reason to stop, for it may be one that is not needed.
	as_root dpkg --configure -a || true
	apt_get update || true
	# The names are one word each, and several words together.
	# shellcheck disable=SC2086
	apt_get install --no-install-recommends $1 || explain_apt "$1"
}

# explain_apt PACKAGES: find in the log why apt failed, and die.
explain_apt() {
	url=$(sed -n 's/^[EW]: Failed to fetch \([^ ]*\) .*/\1/p' "$log" | tail -n 1)
	absent=$(sed -n -e 's/^E: Unable to locate package //p' \
		-e 's/^E: Package .\(.*\). has no installation candidate/\1/p' "$log" | tr '\n' ' ')
	if grep -q 'No space left on device' "$log"; then
		die "the disk is full" "free 2 GiB, then run the same command again"
	elif [ -n "$url" ]; then
		die "the package mirror cannot be reached: $url" \
			"check the network and \`apt-get update\`, then run the same command again"
	elif [ -n "$absent" ]; then
		die "apt knows no package named $absent" \
			"check the apt sources (Ubuntu: add-apt-repository universe), then again"
	fi
	die "apt-get could not install: $1" "apt-get install --no-install-recommends $1"
}

find_python() {
	for python in python3 /usr/bin/python3 python3.13 python3.12 python3.11; do
		if "$python" -c "import ensurepip, sys, venv
sys.exit(sys.version_info < $oldest_python)" 2>/dev/null; then
			echo "$python"
			return
		fi
	done
	die "no Python 3.11 or newer with the modules venv and ensurepip" \
		"apt-get install python3 python3-venv (Debian 12, Ubuntu 24.04 or newer)"
}

make_environment() {
	python=$(find_python)
	say "making the virtual environment .venv with $("$python" --version)"
	rm -f "$stamp"
	logged "$python" -m venv --clear .venv ||
		die "the virtual environment cannot be made in $PWD/.venv" \
			"rm -r .venv, then run the same command again"
	logged .venv/bin/python -m pip install --disable-pip-version-check --retries 2 \
		--editable '.[dev]' || explain_pip
	state >"$stamp"
}

# install_group: into the environment that is there; its stamp goes when that is made anew.
install_group() {
	say "installing the Python packages of the group $group"
	logged .venv/bin/python -m pip install --disable-pip-version-check --retries 2 \
		--editable ".[dev,$group]" || explain_pip
	touch ".venv/$group.stamp"
}

# explain_pip: the same for pip.
explain_pip() {
	unreachable='NewConnectionError|NameResolution|Timeout|ProxyError|SSLError|versions: none'
	if grep -q 'No space left on device' "$log"; then
		die "the disk is full" "free 1 GiB, then run the same command again"
	elif grep -qE "$unreachable" "$log"; then
		die "the Python package index cannot be reached" \
			"check the network (\`pip config list\`), then run the same command again"
	fi
	die "the lab's Python packages cannot be installed" \
		"read the log, then run the same command again"
}

# state: whatever, once changed, asks for a new environment: the lab's dependencies, this script,
# where the checkout is (scripts in .venv name it).
state() {
	cksum pyproject.toml lab/bootstrap.sh
	pwd
}

mkdir -p build
if command -v flock >/dev/null; then # one at a time; the second one then finds all done
	exec 9>build/setup.lock
	flock -n 9 || { say "waiting for another setup in this checkout" && flock 9; }
fi
rm -f "$log"

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
	die "this is no Debian or Ubuntu system: there is no apt-get" \
		"install the counterparts of lab/host-packages.txt, then: python3 -m venv .venv &&
	.venv/bin/pip install -e '.[dev]'"
fi

missing=$(missing_packages)
[ -z "$missing" ] || install_packages "$missing"
if [ ! -x .venv/bin/python ] || [ ! -f "$stamp" ] || [ "$(state)" != "$(cat "$stamp")" ]; then
	make_environment
fi
if [ -n "$group" ] && [ ! -f ".venv/$group.stamp" ]; then
	install_group
fi
