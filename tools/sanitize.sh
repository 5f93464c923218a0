#!/bin/sh
# sanitize.sh PYTHON [PYTEST ARGUMENTS]: the tests that run native kernels, with the library built for AddressSanitizer and
# UndefinedBehaviorSanitizer; the first error ends the run. PYTHON has the project's test environment. With CALLS=10000 it runs so
# many hostile operator calls instead, of the seeds from SEED on (tests/fuzz).
set -eu
cd "$(dirname "$0")/.."
python=$1
shift
cmake -S . -B build/sanitize -DCMAKE_BUILD_TYPE=Release -DSNN_CUDA=OFF -DSNN_SANITIZE=address,undefined
cmake --build build/sanitize --parallel

runtime() { "${CXX:-c++}" -print-file-name="$1"; }
# Python itself is not instrumented: the runtimes come first, and what it leaves behind at its end is not ours
export LD_PRELOAD="$(runtime libasan.so) $(runtime libubsan.so)"
export ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export ONNX_SNN_LIBRARY="$PWD/build/sanitize/libonnx_snn.so"
# --capture=sys leaves the file descriptor alone to which the runtimes report
if [ -n "${CALLS:-}" ]; then
  # what asks for more memory than there is gets none, as without the sanitizers, whose own operator new would end the process:
  # the C++ library's comes first. Reports go to files, since the calls run in a process of their own.
  export LD_PRELOAD="$(runtime libstdc++.so.6) $LD_PRELOAD"
  export ASAN_OPTIONS=$ASAN_OPTIONS:allocator_may_return_null=1:verify_asan_link_order=0:log_path=$PWD/build/sanitize/report
  export UBSAN_OPTIONS=$UBSAN_OPTIONS:log_path=$PWD/build/sanitize/report
  exec "$python" -m tests.fuzz --kinds operator --count "$CALLS" --seed "${SEED:-1}"
fi
# function bodies and references stay out: they run no native kernel
"$python" -m pytest --capture=sys tests/ops -m 'not slow' -k 'not function and not reference' "$@"
# each instruction set has code of its own for float16 and for outputs larger than the cache
for isa in generic avx2; do
  ONNX_SNN_ISA=$isa "$python" -m pytest --capture=sys tests/ops/test_agreement.py -k '(native and reduced) or larger' "$@"
done
