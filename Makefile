# What a person types here. Everything runs in .venv, which is made and filled when it is missing or out of date.
#   make train ARGS="--train.steps 200"    make test ARGS="tests/ops -x"
PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
INSTALLED := .venv/.installed
# An editable install remembers each module, so one that came, went or moved since asks for another install.
MODULES := $(sort $(shell find src/mainstem -name '*.py'))
ifneq ($(MODULES),$(or $(shell cat .venv/.modules 2>/dev/null),$(MODULES)))
$(shell rm -f $(INSTALLED))
endif
KERNELS := $(wildcard src/mainstem/kernels/*.cpp src/mainstem/kernels/*.h)

.PHONY: install train test lint bench bits docs integrations crash crash-each fuzz inductor sanitize oldest newest emulate golden mutants readme pages claims clean

install: $(INSTALLED)

$(BIN)/python:
	$(PYTHON) -m venv .venv

$(INSTALLED): pyproject.toml constraints.txt CMakeLists.txt $(KERNELS) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	@echo $(MODULES) > .venv/.modules
	touch $@

train: $(INSTALLED)
	$(BIN)/mainstem train $(ARGS)

# Tests run in so many processes, each with one thread; ARGS="-n 0" runs them in this one, as a debugger wants it. Each,
# and each that they start, would else compile all modules once more where the environment says to keep no bytecode.
WORKERS ?= 2
PYTEST := env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal
test: $(INSTALLED)
	$(PYTEST) $(ARGS)

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python .ci/packages.py

bench: $(INSTALLED)
	$(BIN)/python benchmarks/table.py --out benchmarks/results/table.json $(ARGS)

# Whether small trainings give the same bits as at the commit BASE; for changes that only move code. Minutes.
BASE ?= HEAD
bits: $(INSTALLED)
	$(BIN)/python benchmarks/bits.py $(BASE) $(ARGS)

# Every code block of the documentation is run, and the site is built into build/site, offline and strictly.
docs: $(INSTALLED)
	$(BIN)/python -m pytest -q tests/docs $(ARGS)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict --config-file mkdocs.zh-TW.yml

# What runs with packages of other people, which the tests leave out by name where they are not there; minutes.
integrations: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[integrations]"
	$(BIN)/python -m pytest -q -rs tests/docs/test_code_blocks.py tests/measure/test_transformers.py tests/noise/test_packages.py $(ARGS)

# Kills and damages whole trainings; minutes. CRASH_KILLS=300 kills more often.
crash: $(INSTALLED)
	$(BIN)/python -m pytest -q -m slow tests/crash --ignore tests/crash/test_each.py $(ARGS)

# A kill or an error at each single call that writes, names, cuts or deletes a file, by strace; minutes.
crash-each: $(INSTALLED)
	$(BIN)/python -m pytest -q -rsP -m slow tests/crash/test_each.py $(ARGS)

# The tests with the oldest PyTorch that pyproject.toml takes, or with the newest that there is, in an environment of its
# own: gigabytes, and half an hour. Left out: pages, and licences, as of packages that a PyTorch for GPUs brings. With the
# oldest, Triton's interpreter too, whose version of that time does not take the NumPy of today.
OTHER := build/other
oldest: TORCH := torch==$(shell sed -n 's/.*"torch>=\(.*\)".*/\1/p' pyproject.toml).*
oldest: LEFT_OUT := --deselect tests/ops/test_triton.py
newest: TORCH := torch
oldest newest:
	$(PYTHON) -m venv $(OTHER)/$@
	grep -v -e '^torch=' -e '^triton=' constraints.txt > $(OTHER)/$@/constraints.txt
	$(OTHER)/$@/bin/python -m pip install --quiet --upgrade --constraint $(OTHER)/$@/constraints.txt "$(TORCH)" --editable ".[test]"
	$(OTHER)/$@/bin/python -m pytest -q -n $(WORKERS) --ignore tests/docs --ignore tests/test_packages.py $(LEFT_OUT) tests $(ARGS)

# Property tests, with new and many more examples than `make test` takes, file by file: what fails is said at once, and a
# file that has passed is left out of the next call. ARGS="tests/data/test_split.py" runs that alone.
fuzz: $(INSTALLED)
	$(BIN)/python tests/support/fuzz.py --workers $(WORKERS) $(ARGS)

# Two models compiled to C++, and attention's Triton kernels for a GPU that need not be there; two minutes.
inductor: $(INSTALLED)
	$(BIN)/python -m pytest -q -m slow tests/laws tests/ops/test_triton_compile.py $(ARGS)

# The kernels' sources under the address and undefined-behaviour sanitizers; needs a compiler, not Python.
sanitize:
	cmake -S tests/kernels -B build/sanitize -DCMAKE_BUILD_TYPE=Debug
	cmake --build build/sanitize --parallel 2
	set -e; for program in build/sanitize/sanitize_*; do $$program; done

# The ops' tests with the kernels for AVX-512 on a processor that lacks it, each instruction by plain loops; minutes.
emulate: $(INSTALLED)
	cmake -S . -B build/emulate -DMAINSTEM_EMULATE=ON
	cmake --build build/emulate --parallel 2
	$(PYTEST) --kernels build/emulate/libmainstem_kernels.so tests/ops --ignore tests/ops/test_library.py -k 'not triton' $(ARGS)

# What a tiny run shows and writes, stored anew after a change of it that is meant: read `git diff tests/golden` then.
golden: $(INSTALLED)
	$(BIN)/python tests/support/golden.py
	$(BIN)/python tests/support/public_names.py

# Small faults put into what is shown, one at a time: each must be noticed by the files above; minutes.
mutants: $(INSTALLED)
	$(BIN)/python tests/golden/mutations.py

# The commands of README.md, typed from top to bottom in a fresh copy; minutes.
readme: $(INSTALLED)
	$(BIN)/python -m pytest -q -m slow tests/docs/test_readme.py $(ARGS)

# What of the READMEs is made from results and code, filled in anew, and the picture of a report; needs chromium.
pages: $(INSTALLED)
	PYTHONPATH=docs:tests/support $(BIN)/python -m made.pages

# The laboratory's published claims again, longer than `mainstem lab --all`, each published as it comes; hours.
claims: $(INSTALLED)
	$(BIN)/python benchmarks/claims.py $(ARGS)

clean:
	rm -rf .venv build dist
