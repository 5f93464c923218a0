#!/bin/sh
# gpu_check.sh [OUT]: on a machine with an NVIDIA GPU, builds the library with CUDA, runs the operator tests there against the
# references, and measures. Stage by stage; a stage that fails does not stop the next. OUT (default: build/gpu_check) gets
# gpu_check.json and a log for each stage.
# Needs: nvcc, cmake, ONNX Runtime's headers or a network to fetch them from (ONNXRUNTIME_ROOT names their folder), and a Python
# with what pip install '.[gpu-check]' installs; `make gpu-check` makes one. What is missing fails its own stage: the operators
# need onnxruntime-gpu and pytest, the copy that bandwidth is compared with torch or CuPy.
#   PYTHON          the Python to use; default: .venv-gpu/bin/python, else python3
#   SNN_GPU_SKIP    stages to leave out, e.g. "spikingjelly models"
#   SNN_GPU_ARGS    arguments for benchmarks.gpu, e.g. "--neurons 4000000" on a small GPU
# Exit code: 0 when every stage that was not left out went well, else 1.
set -u
cd "$(dirname "$0")/.." || exit 1
PATH=$PATH:/usr/local/cuda/bin # where nvcc is when nobody said so
out=${1:-build/gpu_check}
mkdir -p "$out" || exit 1
out=$(cd "$out" && pwd)
python=${PYTHON:-.venv-gpu/bin/python}
[ -x "$python" ] || python=$(command -v "${PYTHON:-python3}") || { echo "gpu_check.sh: no Python" >&2; exit 1; }
export PYTHONPATH="$PWD" ONNX_SNN_LIBRARY="$PWD/build/gpu/libonnx_snn.so"
stages=$out/stages.txt
: >"$stages"
rm -f "$out/gpu_check.json"

note() { echo "$1: $2" | tee -a "$stages"; }

stage() { # name, what it needs ("" or an earlier stage), command
  name=$1 needed=$2
  shift 2
  rm -f "$out/$name.log"
  case " ${SNN_GPU_SKIP:-} " in *" $name "*) note "$name" "left out"; return ;; esac
  if [ -n "$needed" ] && ! grep -q "^$needed: ok" "$stages"; then
    grep -q '^gpu: ok' "$stages" || needed="a GPU"
    note "$name" "not run: it needs $needed"
    return
  fi
  if "$@" >"$out/$name.log" 2>&1; then
    note "$name" ok
  else
    note "$name" "FAILED, see $out/$name.log: $(tail -n 1 "$out/$name.log")"
  fi
}

gpu() {
  nvidia-smi || { echo "no GPU: nvidia-smi does not find one"; return 1; }
}
runtime() {
  "$python" -c 'import onnxruntime as o; assert "CUDAExecutionProvider" in o.get_available_providers(), "onnxruntime has no CUDAExecutionProvider: pip install onnxruntime-gpu"'
}
build() {
  architecture=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -n 1 | tr -d .) # 9.0 is 90
  case $architecture in "" | *[!0-9]*) architecture=90 ;; esac
  nvcc --version && cmake -S . -B build/gpu -DCMAKE_BUILD_TYPE=Release -DCMAKE_CUDA_ARCHITECTURES="$architecture" &&
    cmake --build build/gpu --parallel || return 1
  grep -q '^CMAKE_CUDA_COMPILER:[A-Z]*=/' build/gpu/CMakeCache.txt || { echo "CMake cannot use this nvcc"; return 1; }
}
started() { # the first provider of a session is the GPU's, and a kernel of ours runs there
  if grep -q '^build: FAILED' "$stages"; then
    echo "the library was not built"
    return 1
  fi
  "$python" -c 'import numpy as np
from snn_ops.single import SingleOperator
one = np.float32(1)
run = SingleOperator("IF", provider="cuda")
x = np.full((4, 3), 0.5, np.float32), np.asarray(4), one, np.float32(0), np.float32(0)
assert run.session(*x).get_providers()[0] == "CUDAExecutionProvider"
assert run(*x)[0].sum() == 6'
}
tests_cuda() {
  PYTHON=$python tools/gpu_tests.sh
}
tests_cupy() { # a test of CuPy that was skipped is one that did not find the GPU
  "$python" -c 'import cupy; cupy.zeros(1)' && "$python" -m pytest tests/snn_ops -m 'not slow' -k cupy && ! grep -q ' skipped' "$out/cupy.log"
}
measure() { # shellcheck disable=SC2086
  "$python" -m benchmarks.gpu "$1" --json "$out/gpu_check.json" ${SNN_GPU_ARGS:-}
}

stage gpu "" gpu
stage build "" build
stage runtime gpu runtime
stage started runtime started
stage tests started tests_cuda
stage cupy gpu tests_cupy
stage operators started measure operators
stage models started measure models
stage spikingjelly gpu measure spikingjelly

"$python" -m benchmarks.gpu summary --json "$out/gpu_check.json" <"$stages"
echo
for name in operators models spikingjelly; do
  [ ! -e "$out/$name.log" ] || { cat "$out/$name.log" && echo; }
done
cat "$stages"
grep -q '^gpu: ok' "$stages" || echo "no GPU: not run" >&2
! grep -qvE ': (ok|left out)$' "$stages"
