# The two commands of a fresh machine: `make demo` and `make test`.
PYTHON ?= python3.11
BIN := .venv/bin
READY := .venv/ready

demo: $(READY)
	$(BIN)/cimkit demo demo --overwrite

test: $(READY)
	$(BIN)/ruff check cimkit tests benchmarks
	$(BIN)/ruff format --check cimkit tests benchmarks
	$(BIN)/mypy
	$(BIN)/pytest
	NUMBA_DISABLE_JIT=1 $(BIN)/pytest -q tests/kernels
	NUMBA_BOUNDSCHECK=1 NUMBA_NUM_THREADS=1 $(BIN)/pytest -q tests/kernels

bench: $(READY)
	$(BIN)/python benchmarks/build_against_decoding.py

samples: $(READY)
	$(BIN)/cimkit sample data-samples

lock: $(READY)
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header \
		--no-annotate --extra test --extra dev pyproject.toml -o requirements.lock

$(READY): requirements.lock pyproject.toml
	@echo "Installing the locked dependencies into .venv; about a minute, once."
	@$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $(READY)

.PHONY: demo test bench samples lock
