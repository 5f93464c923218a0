#!/bin/sh
# fetch-ort-headers.sh DEST [SUITE]: unpacks the headers of Debian's libonnxruntime-dev into DEST/onnxruntime.
# Uses the mirror this machine's apt is set up with, leaves apt's own state alone, and needs no root.
set -eu
destination=$1
suite=${2:-trixie}
package=libonnxruntime-dev
mkdir -p "$destination"
destination=$(cd "$destination" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

if ! apt-get download "$package" >/dev/null 2>&1; then # not in this machine's own release: take it from SUITE
  . /etc/os-release
  # `apt-get update` names the mirror even where no package list was ever fetched
  mirror=$(apt-get --print-uris update | sed -n "s#^'\(.*\)/dists/$VERSION_CODENAME/InRelease'.*#\1#p" | head -n 1)
  if [ -z "$mirror" ]; then
    echo "apt-get: this machine's configuration names no Debian mirror" >&2
    exit 1
  fi
  for name in pgp gpg; do
    [ -e "/usr/share/keyrings/debian-archive-keyring.$name" ] && keyring=/usr/share/keyrings/debian-archive-keyring.$name
  done
  mkdir -p lists/partial cache/archives/partial
  echo "deb [signed-by=$keyring] $mirror $suite main" >sources.list
  set -- -qq -oDir::State::Lists="$work/lists" -oDir::Cache="$work/cache" -oDir::Etc::sourcelist="$work/sources.list" \
    -oDir::Etc::sourceparts=/dev/null -oAcquire::Languages=none -oAPT::Sandbox::User=
  apt-get "$@" update
  apt-get "$@" download "$package/$suite"
fi

dpkg -x "$package"_*.deb unpacked
cp -r unpacked/usr/include/onnxruntime "$destination/"
cp "unpacked/usr/share/doc/$package/copyright" "$destination/onnxruntime/"
