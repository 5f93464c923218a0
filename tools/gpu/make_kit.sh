#!/bin/sh
# make_kit.sh [FOLDER]: fills FOLDER (default: build/gpu_kit) with what tools/gpu_check.sh needs on a machine with a GPU and
# without a network, about 57 MiB: the library and the kernels by themselves for one GPU architecture, a wheel of onnxruntime-gpu
# pruned to it, wheels that such a machine may lack, converted models. See README.md.
# Needs: nvcc, cmake, readelf, ONNX Runtime's headers as cmake/OrtHeaders.cmake finds them, pip with a package index.
#   PYTHON        a Python with what pip install '.[cpu,test]' installs; default: .venv/bin/python
#   ARCHITECTURE  of the GPU: 90 (default) for compute capability 9.0
#   AT_THE_PLACE  the Python there: 3.12 (default)
#   PACKAGES      other wheels to carry than those that are listed here
#   LIMIT         MiB that the folder may have: 60 (default)
set -eu
cd "$(dirname "$0")/../.."
python=${PYTHON:-.venv/bin/python}
architecture=${ARCHITECTURE:-90}
folder=${1:-build/gpu_kit}
packages=${PACKAGES:-onnxruntime-extensions==0.15.2 nengo==4.1.0 spikingjelly==2.0.0 loguru==0.7.3 SciencePlots==2.2.2}
PATH=$PATH:/usr/local/cuda/bin
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"
rm -rf "$folder"
mkdir -p "$folder/wheels" "$folder/older"
folder=$(cd "$folder" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
began=$(date +%s)
say() { echo "$1: $(($(date +%s) - began)) s"; }

get() { # folder, packages
  target=$1
  shift
  set -- --python-version "${AT_THE_PLACE:-3.12}" --implementation cp "$@"
  for glibc in 17 24 27 28 31 34; do set -- --platform "manylinux_2_${glibc}_x86_64" "$@"; done
  "$python" -m pip download -q --no-deps --only-binary=:all: --platform manylinux2014_x86_64 -d "$target" "$@"
}

get "$work" "onnxruntime-gpu==1.31.1"
# shellcheck disable=SC2086
get "$folder/wheels" $packages
get "$folder/older" spikingjelly==0.0.0.0.14 # the last with CuPy kernels
say downloaded

"$python" -m pip install -q --target "$work/zstandard" zstandard
PYTHONPATH="$PYTHONPATH:$work/zstandard" "$python" -m tools.gpu.prune --architecture "$architecture" \
  "$work"/onnxruntime_gpu-*.whl "$folder/wheels"
say pruned

cmake -S . -B "$work/build" -DCMAKE_BUILD_TYPE=Release -DCMAKE_CUDA_ARCHITECTURES="$architecture" >"$work/cmake.log" ||
  { cat "$work/cmake.log"; exit 1; }
cmake --build "$work/build" --parallel >>"$work/cmake.log" || { cat "$work/cmake.log"; exit 1; }
cp "$work/build/libonnx_snn.so" "$folder/"
"$python" -m tools.gpu.library "$folder/kernels.so" --architecture "$architecture"
echo "$architecture" >"$folder/architecture"
say built

ONNX_SNN_LIBRARY=$folder/libonnx_snn.so "$python" -m tools.gpu.check_models --make --models "$folder/models" \
  --only lenet5.auto lenet5.lif lenet5.sigma-delta lenet5.two-phase lenet5.streaming \
  lenet5.delta lenet5.delta-two-phase lenet5.delta-streaming mlp.delta cnn.delta resnet8.delta resnet8.delta-two-phase # the VGG is faster made than carried
say converted

size=$(du -sm "$folder" | cut -f1)
echo "$folder: $size MiB"
[ "$size" -le "${LIMIT:-60}" ] || { echo "make_kit.sh: more than ${LIMIT:-60} MiB" >&2; exit 1; }
