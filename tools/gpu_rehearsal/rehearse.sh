#!/bin/sh
# rehearse.sh [FOLDER]: the GPU tests (tools/gpu_tests.sh) on a machine without a GPU. ONNX Runtime and its CUDA provider are the
# real ones; the CUDA runtime below them is a stand-in, where a kernel of ours is a host function and device memory crashes
# whoever reads it without a copy (cudart.cc). It shows that operators are found and placed on the provider, that their inputs lie
# where the kernels look, that nothing waits or copies that should not, and what kernels compute; not what a GPU's own
# arithmetic, parallel threads or speed do. That is for tools/gpu_check.sh.
# Needs: cmake, the CUDA toolkit's headers, nm, readelf, and a Python with what pip install '.[gpu-rehearsal]' installs;
# `make gpu-rehearsal` makes one. FOLDER (default: build/gpu_rehearsal) gets what is built.
#   PYTHON   the Python to use; default: .venv-rehearsal/bin/python
set -eu
cd "$(dirname "$0")/../.."
python=${PYTHON:-.venv-rehearsal/bin/python}
folder=${1:-build/gpu_rehearsal}
mkdir -p "$folder/libraries"
folder=$(cd "$folder" && pwd)

cmake -S tools/gpu_rehearsal -B "$folder"
cmake --build "$folder" --parallel
provider=$("$python" -c 'import onnxruntime; print(onnxruntime.__path__[0])')/capi/libonnxruntime_providers_cuda.so
[ -e "$provider" ] || { echo "rehearse.sh: no CUDA provider, $provider; install onnxruntime-gpu" >&2; exit 1; }
"$python" tools/gpu_rehearsal/stubs.py "$provider" "$folder/libraries" "$folder/CMakeFiles/cudart_stand_in.dir/cudart.cc.o"

cudart=$(echo "$folder"/libraries/libcudart.so.*[0-9])
PYTHON=$python ONNX_SNN_LIBRARY=$folder/onnx_snn/libonnx_snn.so LD_LIBRARY_PATH=$folder/libraries \
  LD_PRELOAD=$cudart tools/gpu_tests.sh
