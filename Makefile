# make demo   sets up .venv and runs the main job on embedded data
# make test   sets up .venv and runs all tests
# `make help` lists the rest.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
GPU_VENV := .venv-gpu
REHEARSAL_VENV := .venv-rehearsal
WEB := examples/web
# one GPU architecture builds quickly; the wheel takes all (cmake/CudaKernels.cmake)
CMAKE_ARGS ?= -DCMAKE_CUDA_ARCHITECTURES=90
NATIVE := CMakeLists.txt setup.py $(shell find kernels cmake -type f)

.PHONY: help demo web test test-web test-slow test-docs site fuzz fuzz-kernels mutants platforms lint ci format wheel sanitize docs bench bench-check gpu-check gpu-rehearsal gpu-host-check gpu-kit clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

# The environment, with the project installed in place; again when what it is built from changes.
$(VENV)/ready: pyproject.toml $(NATIVE)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	CMAKE_ARGS="$(CMAKE_ARGS)" $(BIN)/python -m pip install --quiet --editable '.[cpu,convert]'
	@touch $@

# The same with what tests and tools need, TensorFlow among it.
$(VENV)/ready-dev: $(VENV)/ready
	CMAKE_ARGS="$(CMAKE_ARGS)" $(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

# and with what drives a browser
$(VENV)/ready-web: $(VENV)/ready-dev
	CMAKE_ARGS="$(CMAKE_ARGS)" $(BIN)/python -m pip install --quiet --editable '.[web]'
	@touch $@

demo: $(VENV)/ready ## the main job: convert an embedded LeNet-5, run it, compare
	$(BIN)/onnx-snn demo

# The same with what the documentation's site, code blocks and notebooks need, PyTorch among it.
$(VENV)/ready-docs: $(VENV)/ready-dev
	CMAKE_ARGS="$(CMAKE_ARGS)" $(BIN)/python -m pip install --quiet --editable '.[dev,docs]'
	@touch $@

test: $(VENV)/ready-dev ## all tests but the slow ones, those in a browser and those of `make test-docs`
	$(BIN)/python -m pytest -m 'not slow and not web and not docs' -n auto --dist loadfile --no-loadscope-reorder

test-slow: $(VENV)/ready-dev ## the slow tests alone
	$(BIN)/python -m pytest -m slow

test-web: $(VENV)/ready-web $(WEB)/dist/network.json ## what people see, in a headless Chromium: nothing is skipped
	tools/web/browser.sh >/dev/null
	PATH="$$(tools/web/node.sh $(BIN)/python):$$PATH" $(BIN)/python -m pytest tests/web

web: $(WEB)/dist/network.json ## examples/web/dist: the network in the browser, static files for any web server

$(WEB)/node_modules/ready: $(WEB)/package.json $(WEB)/package-lock.json $(VENV)/ready
	PATH="$$(tools/web/node.sh $(BIN)/python):$$PATH" npm --prefix $(WEB) ci
	@touch $@

$(WEB)/dist/network.json: $(WEB)/build.py $(shell find examples/web/src converter snn_ops -name '*.py' -o -path '*/src/*' -type f) $(WEB)/node_modules/ready
	$(BIN)/python $(WEB)/build.py

test-docs: $(VENV)/ready-docs ## the documentation's code blocks and notebooks run, its site is built and has no dead link
	$(BIN)/python -m pytest -m docs -n auto tests/docs

site: $(VENV)/ready-docs ## the documentation as a site, build/site/index.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict # --quiet would let warnings pass

lint: $(VENV)/ready-dev ## ruff, mypy, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

ci: lint test test-web test-docs test-slow sanitize ## what CI runs

format: $(VENV)/ready-dev ## let ruff format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

wheel: $(VENV)/ready ## dist/onnx_snn-*-py3-none-*.whl
	CMAKE_ARGS= $(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

sanitize: $(VENV)/ready-dev ## the kernel tests under AddressSanitizer and UBSan
	tools/sanitize.sh $(BIN)/python

docs: $(VENV)/ready-dev ## what is written from the code: C++ headers, functions, docs/operators.md, docs/architecture.md
	$(BIN)/python -m tools.generate

fuzz: $(VENV)/ready-dev ## hostile files, options and operator calls for some minutes; FUZZ="--minutes 30 --seed 1" (a minute is part of `make test`)
	$(BIN)/python -m tests.fuzz $(FUZZ)

fuzz-kernels: $(VENV)/ready-dev ## CALLS=10000 hostile operator calls under AddressSanitizer and UBSan, from SEED on
	CALLS=$(or $(CALLS),10000) SEED=$(or $(SEED),1) tools/sanitize.sh $(BIN)/python

mutants: $(VENV)/ready-dev ## an hour of faults put into the code at random, and whether the tests see them; MUTANTS="--seed 2 --minutes 20"
	$(BIN)/python -m tools.mutants $(MUTANTS)

# what it needs of Debian and how the tables of docs/platforms.md came about: docs/platforms.md
platforms: wheel ## the wheel under other Pythons, releases of ONNX Runtime, and processors
	$(BIN)/python -m pip install --quiet --editable '.[platforms]'
	$(BIN)/python -m tools.platforms.matrix dist/onnx_snn-*.whl
	$(BIN)/python -m tools.platforms.cross
	tools/platforms/arm64.sh dist/onnx_snn-*.whl
	$(BIN)/actionlint -shellcheck= .github/workflows/*.yml

bench: $(VENV)/ready-dev ## every benchmark that is not done yet, peers in environments of their own, and docs/benchmarks.md; BENCH="--budget 40" bounds it
	$(BIN)/python -m benchmarks $(BENCH)
	$(BIN)/python -m benchmarks.page

bench-check: $(VENV)/ready-dev ## the harness on the smallest cells: equal outputs, complete tables (part of `make test`)
	$(BIN)/python -m pytest tests/benchmarks

# onnxruntime-gpu has an environment of its own, since onnxruntime would lie in the same folder
$(GPU_VENV)/ready: pyproject.toml $(NATIVE)
	$(PYTHON) -m venv $(GPU_VENV)
	$(GPU_VENV)/bin/python -m pip install --quiet --upgrade pip
	CMAKE_ARGS="$(CMAKE_ARGS)" $(GPU_VENV)/bin/python -m pip install --quiet --editable '.[gpu-check]'
	@touch $@

gpu-check: $(GPU_VENV)/ready ## on a machine with an NVIDIA GPU: tests and benchmarks there
	PYTHON=$(GPU_VENV)/bin/python tools/gpu_check.sh

$(REHEARSAL_VENV)/ready: pyproject.toml $(NATIVE)
	$(PYTHON) -m venv $(REHEARSAL_VENV)
	$(REHEARSAL_VENV)/bin/python -m pip install --quiet --upgrade pip
	CMAKE_ARGS=-DSNN_CUDA=OFF $(REHEARSAL_VENV)/bin/python -m pip install --quiet '.[gpu-rehearsal]'
	@touch $@

gpu-rehearsal: $(REHEARSAL_VENV)/ready ## the GPU tests without a GPU, on a stand-in for the CUDA runtime
	PYTHON=$(REHEARSAL_VENV)/bin/python tools/gpu_rehearsal/rehearse.sh

gpu-host-check: $(VENV)/ready-dev ## the CUDA kernels compiled for the host, over 100 million values against the CPU kernels
	$(BIN)/python -m tools.gpu.library --host build/gpu_host/kernels.so
	$(BIN)/python -m tools.gpu.check_kernels build/gpu_host/kernels.so --host --parts correct unusual --json build/gpu_host/check.json

gpu-kit: $(VENV)/ready-dev ## build/gpu_kit: what a machine with a GPU and without a network needs (tools/gpu/README.md)
	PYTHON=$(BIN)/python tools/gpu/make_kit.sh

clean: ## everything that make made
	rm -rf $(VENV) .venv-peers $(GPU_VENV) $(REHEARSAL_VENV) $(WEB)/dist $(WEB)/node_modules build dist *.egg-info snn_ops/libonnx_snn.so
