#!/bin/sh
# gpu_tests.sh: the tests of what runs on a GPU, with the environment's onnxruntime-gpu and the library that ONNX_SNN_LIBRARY
# names: every operator's kernel against its reference, its states in chunks of time, and where the nodes of models end up.
#   PYTHON   the Python to use; default: python3. With pytest-xdist it runs up to 10 processes.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
export ONNX_SNN_TEST_PROVIDER=cuda PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"
states=tests/spiking/test_expose_states.py
set -- -m 'not slow' -k 'not functions and not reference and not numpy and not cupy' \
  tests/ops tests/snn_ops/test_provider.py tests/snn_ops/test_python_ops.py tests/conversion/test_gpu.py \
  $states::test_every_operator_with_a_state $states::test_random_neurons_do_not_depend_on_batches
"$python" -c 'import xdist' 2>/dev/null && set -- -n auto --maxprocesses 10 "$@"
"$python" -m pytest "$@"
