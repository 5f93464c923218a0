#!/bin/sh
# browser.sh: prints the path of a headless Chromium, having unpacked Debian's into build/browser where none is installed.
# Uses the mirrors this machine's apt is set up with, leaves apt's own state alone, and needs no root.
set -eu
for name in chromium chromium-headless-shell google-chrome-stable google-chrome; do
  if command -v "$name"; then exit; fi
done
build=$(cd "$(dirname "$0")/../.." && pwd)/build
if [ -x "$build/browser/chromium" ]; then
  echo "$build/browser/chromium"
  exit
fi
if ! command -v apt-get >/dev/null; then
  echo "no Chromium here, and no apt-get to fetch Debian's with: install Chromium or Chrome" >&2
  exit 1
fi

mkdir -p "$build"
work=$(mktemp -d "$build/browser.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/browser"
cd "$work/cache/archives"
# with lists of its own: those of the machine may name what the mirror no longer has
apt() {
  apt-get -qq -oDir::State::Lists="$work/lists" -oDir::Cache="$work/cache" -oAcquire::Languages=none \
    -oAcquire::Retries=3 -oAPT::Sandbox::User= -oDebug::NoLocking=1 "$@" >&2
}
# the libraries that are not installed; the program itself, whatever of it is; without a font a page has no letters
if ! { apt update && apt --yes --download-only --no-install-recommends install chromium-headless-shell &&
  apt download chromium-headless-shell chromium-common fonts-dejavu-core; }; then
  echo "Debian's Chromium could not be fetched: install Chromium or Chrome" >&2
  exit 1
fi
for package in *.deb; do
  dpkg -x "$package" "$work/browser"
done

cat >"$work/browser/fonts.conf" <<END
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
  <dir prefix="relative">usr/share/fonts</dir>
  <cachedir>/tmp/onnx-snn-fonts</cachedir>
  <alias><family>sans-serif</family><prefer><family>DejaVu Sans</family></prefer></alias>
  <alias><family>serif</family><prefer><family>DejaVu Serif</family></prefer></alias>
  <alias><family>monospace</family><prefer><family>DejaVu Sans Mono</family></prefer></alias>
</fontconfig>
END
cat >"$work/browser/chromium" <<'END'
#!/bin/sh
here=$(cd "$(dirname "$0")" && pwd)
for folder in "$here"/lib/*-linux-gnu "$here"/usr/lib/*-linux-gnu "$here"/usr/lib/*-linux-gnu/pulseaudio; do
  LD_LIBRARY_PATH=$folder${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
done
export LD_LIBRARY_PATH FONTCONFIG_FILE="$here/fonts.conf"
exec "$here/usr/lib/chromium/chromium-headless-shell" "$@"
END
chmod +x "$work/browser/chromium"
"$work/browser/chromium" --version >&2 # says which library is missing, should one be
rm -rf "$build/browser"
mv "$work/browser" "$build/browser"
echo "$build/browser/chromium"
