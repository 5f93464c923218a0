#!/bin/sh
# gpu_check.sh [OUT [STAGE...]]: on a machine with an NVIDIA GPU, tests there against the references, and measures. Stage by
# stage, each with a limit of its own; one that fails does not stop the next. OUT (default: build/gpu_check) gets gpu_check.json
# and benchmarks.json, written row by row, and a log for each stage. Named stages run alone, as if those before them had gone well.
#   gpu           nvidia-smi finds one
#   build         the library with CUDA, for this GPU; left out where ONNX_SNN_LIBRARY names one
#   kernels       every operator without ONNX Runtime's CUDA provider: right, and how fast (tools/gpu/check_kernels.py)
#   runtime       there is an onnxruntime for GPUs
#   started       its CUDA provider starts, and a kernel of ours runs there
#   tests         tools/gpu_tests.sh
#   cupy          backend "cupy"
#   whole_models  converted models against the CPU, with and without TF32 (tools/gpu/check_models.py)
#   operators, networks   how fast, beside SpikingJelly and others that are installed: python -m benchmarks
# Needs: nvcc, cmake, ONNX Runtime's headers or a network to fetch them from (ONNXRUNTIME_ROOT names their folder), and a Python
# with what pip install '.[gpu-check]' installs; `make gpu-check` makes one. Without a network: a kit (tools/gpu/README.md).
# What is missing fails its own stage.
#   PYTHON            the Python to use; default: .venv-gpu/bin/python, else python3. Its PYTHONPATH is kept
#   SNN_GPU_KIT       folder that tools/gpu/make_kit.sh made: libraries, wheels and models are taken from there
#   SNN_GPU_SKIP      stages to leave out, e.g. "operators networks"
#   SNN_GPU_ARGS      arguments for python -m benchmarks, e.g. "--budget 5"
#   SNN_GPU_KERNELS   library and arguments for tools.gpu.check_kernels; default: a library that is built, or the kit's
#   SNN_GPU_PATIENCE  factor of all limits; default: 1
#   SNN_GPU_LIMIT     seconds that no stage may exceed, e.g. what is left of a slot; default: none
# Exit code: 0 when every stage that was not left out went well, else 1.
set -u
cd "$(dirname "$0")/.." || exit 1
PATH=$PATH:/usr/local/cuda/bin # where nvcc is when nobody said so
out=${1:-build/gpu_check}
[ $# -eq 0 ] || shift
wanted=$*
mkdir -p "$out" || exit 1
out=$(cd "$out" && pwd)
python=${PYTHON:-.venv-gpu/bin/python}
[ -x "$python" ] || python=$(command -v "${PYTHON:-python3}") || { echo "gpu_check.sh: no Python" >&2; exit 1; }
kit=${SNN_GPU_KIT:+$(cd "$SNN_GPU_KIT" && pwd)}
site=${TMPDIR:-/tmp}/onnx-snn-kit
[ -z "$kit" ] || export ONNX_SNN_LIBRARY="${ONNX_SNN_LIBRARY:-$kit/libonnx_snn.so}"
given=${ONNX_SNN_LIBRARY:-}
export ONNX_SNN_LIBRARY="${given:-$PWD/build/gpu/libonnx_snn.so}" PYTHONUNBUFFERED=1
[ -z "$kit" ] || export ONNX_SNN_PEERS="$site/peers" # packages of single peers
export PYTHONPATH="$PWD${kit:+:$site}${PYTHONPATH:+:$PYTHONPATH}"
stages=$out/stages.txt
: >"$stages"
rm -f "$out/gpu_check.json" "$out/benchmarks.json"
began=$(date +%s)

note() { echo "$1: $2" | tee -a "$stages"; }

stage() { # name, what it needs ("" or an earlier stage), seconds, command
  name=$1 needed=$2 limit=$(($3 * ${SNN_GPU_PATIENCE:-1}))
  [ "${SNN_GPU_LIMIT:-$limit}" -ge "$limit" ] || limit=$SNN_GPU_LIMIT
  shift 3
  rm -f "$out/$name.log"
  case " ${SNN_GPU_SKIP:-} " in *" $name "*) note "$name" "left out"; return ;; esac
  case " ${wanted:-$name} " in *" $name "*) ;; *) return ;; esac
  if grep -qE "^(gpu|${needed:-gpu}): (FAILED|not run)" "$stages"; then
    grep -q '^gpu: FAILED' "$stages" && needed="a GPU"
    note "$name" "not run: it needs $needed"
    return
  fi
  if "$@" >"$out/$name.log" 2>&1; then
    note "$name" ok
  else
    case $? in 124 | 137) echo "not done after $limit s" >>"$out/$name.log" ;; esac # timeout's codes: ended, killed
    note "$name" "FAILED, see $out/$name.log: $(tail -n 1 "$out/$name.log")"
  fi
  echo "  $name: until $(($(date +%s) - began)) s"
}
limited() { timeout -k 5 "$limit" "$@"; }

architecture() { # 90 for compute capability 9.0; 90 where nobody says
  found=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -n 1 | tr -d .)
  case $found in "" | *[!0-9]*) found=90 ;; esac
  echo "$found"
}
gpu() {
  limited nvidia-smi || { code=$?; echo "no GPU: nvidia-smi does not find one"; return $code; }
  [ -z "$kit" ] || [ "$(cat "$kit/architecture")" = "$(architecture)" ] || {
    echo "the kit is for sm_$(cat "$kit/architecture"), this GPU is sm_$(architecture): make one with ARCHITECTURE=$(architecture)"
    return 1
  }
}
build() {
  [ -z "$given" ] || { echo "given: $given"; [ -e "$given" ]; return; }
  nvcc --version && limited cmake -S . -B build/gpu -DCMAKE_BUILD_TYPE=Release -DCMAKE_CUDA_ARCHITECTURES="$(architecture)" &&
    limited cmake --build build/gpu --parallel || return
  grep -q '^CMAKE_CUDA_COMPILER:[A-Z]*=/' build/gpu/CMakeCache.txt || { echo "CMake cannot use this nvcc"; return 1; }
}
kernels() {
  library=${SNN_GPU_KERNELS:-${kit:-build/gpu}/kernels.so}
  [ -n "$kit${SNN_GPU_KERNELS:-}" ] ||
    limited "$python" -m tools.gpu.library "$library" --architecture "$(architecture)" || return
  # shellcheck disable=SC2086
  limited "$python" -m tools.gpu.check_kernels $library --json "$out/gpu_check.json"
}
runtime() { # the kit's wheels go into a folder of their own, before the environment's
  if [ -n "$kit" ] && [ "$(cat "$site/wheels" 2>/dev/null)" != "$(wheels)" ]; then
    rm -rf "$site"
    install_wheels "$site" "$kit"/wheels/*.whl && install_wheels "$site/peers/spikingjelly-cupy" "$kit"/older/*.whl && wheels >"$site/wheels" ||
      return
  fi
  limited "$python" -c 'import onnxruntime as o
print(o.__version__, o.__path__[0], o.get_build_info())
assert "CUDAExecutionProvider" in o.get_available_providers(), "onnxruntime has no CUDAExecutionProvider: pip install onnxruntime-gpu"'
}
wheels() { cksum "$kit"/wheels/*.whl "$kit"/older/*.whl; }
install_wheels() {
  folder=$1
  shift
  limited "$python" -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --upgrade --target "$folder" "$@"
}
started() { # the first provider of a session is the GPU's, and a kernel of ours runs there
  limited "$python" -c 'import numpy as np
from snn_ops.single import SingleOperator
one = np.float32(1)
run = SingleOperator("IF", provider="cuda")
x = np.full((4, 3), 0.5, np.float32), np.asarray(4), one, np.float32(0), np.float32(0)
assert run.session(*x).get_providers()[0] == "CUDAExecutionProvider"
assert run(*x)[0].sum() == 6'
}
tests_cuda() {
  PYTHON=$python limited tools/gpu_tests.sh
}
tests_cupy() { # a test of CuPy that was skipped is one that did not find the GPU
  "$python" -c 'import cupy; cupy.zeros(1)' && limited "$python" -m pytest tests/snn_ops -m 'not slow' -k cupy &&
    ! grep -q ' skipped' "$out/cupy.log"
}
whole_models() {
  limited "$python" -m tools.gpu.check_models --models "${kit:-build/gpu_check}/models" --json "$out/gpu_check.json"
}
measure() { # shellcheck disable=SC2086
  limited "$python" -m benchmarks --provider cuda --here --results "$out/benchmarks.json" "$@" ${SNN_GPU_ARGS:-}
}

if [ -n "$kit" ]; then # the kit's onnxruntime is not where it looks for NVIDIA's packages
  cuda=$("$python" -c 'import nvidia; print(*nvidia.__path__, sep="\n")' 2>/dev/null |
    xargs -r -d '\n' -I '{}' find '{}' -name '*.so*' -printf '%h\n' | sort -u | paste -sd:)
  export LD_LIBRARY_PATH="${LD_LIBRARY_PATH:-}${LD_LIBRARY_PATH:+${cuda:+:}}$cuda"
  # onnxruntime also asks for libcudnn.so, a name that cuDNN's wheel does not have
  versioned=$(echo "$LD_LIBRARY_PATH" | tr : '\n' | sed 's|$|/libcudnn.so.9|' | xargs -r -d '\n' ls 2>/dev/null | head -n 1)
  if [ -n "$versioned" ]; then
    mkdir -p "$out/libraries" && ln -sf "$versioned" "$out/libraries/libcudnn.so"
    LD_LIBRARY_PATH=$LD_LIBRARY_PATH:$out/libraries
  fi
fi

stage gpu "" 30 gpu
stage build "" 600 build
stage kernels build 200 kernels
stage runtime build 90 runtime
stage started runtime 60 started
stage tests started 300 tests_cuda
stage cupy "" 120 tests_cupy
stage whole_models started 200 whole_models
stage operators started 300 measure --workloads operator-if,operator-nengo-if,operator-lif,operator-sigma-delta --budget 4
stage networks started 600 measure --workloads lenet-5,vgg-11 --equations if --steps 8,32 --batch 1,64 --budget 8

"$python" -m tools.gpu.rows "$out/gpu_check.json" <"$stages"
echo
for name in kernels whole_models operators networks; do
  [ ! -e "$out/$name.log" ] || { cat "$out/$name.log" && echo; }
done
cat "$stages"
grep -q '^gpu: FAILED' "$stages" && echo "no GPU: not run" >&2
! grep -qvE ': (ok|left out)$' "$stages"
