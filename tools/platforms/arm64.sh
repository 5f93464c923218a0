#!/bin/sh
# arm64.sh WHEEL: tools/platforms/check.py on arm64, under qemu: Debian's Python for arm64, ONNX Runtime's own arm64 wheel, and the
# library that tools/platforms/cross.py compiled (linux-arm64). What the kernels give is compared, bit for bit, with what this
# machine's give. WHEEL is the project's, of this machine: all in it but the library is the same everywhere. Needs qemu-aarch64 of
# version 9 or newer (ONNX Runtime ends in a segmentation fault under 7.2): $QEMU, or Debian's from a newer release, fetched here.
set -eu
cd "$(dirname "$0")/../.."
wheel=$(realpath "$1")
work=$PWD/build/platforms
python=${PYTHON:-.venv/bin/python}
mkdir -p "$work/path"
[ -e "$work/path/tests" ] || ln -s "$PWD/tests" "$work/path/tests"

[ -d "$work/arm64-root" ] || tools/platforms/fetch-debian.sh "$work/arm64-root" bookworm arm64 libc6 libexpat1 zlib1g libffi8 \
  libstdc++6 libgcc-s1 libbz2-1.0 liblzma5 libuuid1 libssl3 libsqlite3-0 python3.11-minimal libpython3.11-minimal libpython3.11-stdlib
[ -n "${QEMU:-}" ] || [ -d "$work/qemu" ] || tools/platforms/fetch-debian.sh "$work/qemu" forky amd64 qemu-user
qemu=${QEMU:-$work/qemu/usr/bin/qemu-aarch64}
[ -d "$work/arm64-site" ] || "$python" -m pip install --quiet --target "$work/arm64-site" --only-binary=:all: --python-version 3.11 \
  --implementation cp --platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 --platform manylinux2014_aarch64 \
  --platform manylinux_2_17_aarch64 onnxruntime numpy onnx onnx-ir onnxscript typer rich matplotlib

rm -rf "$work/arm64-package" "$work/this-package"
for folder in arm64-package this-package; do "$python" -m zipfile -e "$wheel" "$work/$folder"; done
cp "$work/linux-arm64/libonnx_snn.so" "$work/arm64-package/snn_ops/"

rm -f "$work/bits.npz"
PYTHONPATH=$work/path:$work/this-package "$python" tools/platforms/check.py "$work/this.json" --bits "$work/bits.npz"
PYTHONPATH=$work/path:$work/arm64-package:$work/arm64-site \
  "$qemu" -L "$work/arm64-root" "$work/arm64-root/usr/bin/python3.11" tools/platforms/check.py "$work/arm64.json" --bits "$work/bits.npz"
cp "$work/arm64.json" docs/platforms-arm64.json
