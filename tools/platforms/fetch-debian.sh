#!/bin/sh
# fetch-debian.sh DEST SUITE ARCHITECTURE PACKAGE...: unpacks Debian packages, without what they depend on, into DEST: the root of
# another architecture or of a newer Python, for tools/platforms. Uses the mirror this machine's apt is set up with, leaves apt's
# own state alone, and needs no root.
set -eu
destination=$1
suite=$2
architecture=$3
shift 3
mkdir -p "$destination"
destination=$(cd "$destination" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
. /etc/os-release
# `apt-get update` names the mirror even where no package list was ever fetched
mirror=$(apt-get --print-uris update | sed -n "s#^'\(.*\)/dists/$VERSION_CODENAME/InRelease'.*#\1#p" | head -n 1)
[ -n "$mirror" ] || { echo "fetch-debian.sh: apt's configuration names no Debian mirror" >&2; exit 1; }
for name in pgp gpg; do
  [ -e "/usr/share/keyrings/debian-archive-keyring.$name" ] && keyring=/usr/share/keyrings/debian-archive-keyring.$name
done
mkdir -p lists/partial cache/archives/partial
: >status
echo "deb [arch=$architecture signed-by=$keyring] $mirror $suite main" >sources.list
apt() {
  apt-get -qq -oDir::State::Lists="$work/lists" -oDir::State::status="$work/status" -oDir::Cache="$work/cache" \
    -oDir::Etc::sourcelist="$work/sources.list" -oDir::Etc::sourceparts=/dev/null -oAPT::Architecture="$architecture" \
    -oAPT::Architectures="$architecture" -oAcquire::Languages=none -oAPT::Sandbox::User= "$@"
}
apt update
for package in "$@"; do apt download "$package"; done
for file in *.deb; do dpkg-deb -x "$file" "$destination"; done
