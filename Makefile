# The two commands of a fresh machine: `make demo` and `make test`.
PYTHON ?= python3.11
BIN := .venv/bin
READY := .venv/ready
READY_DEV := .venv/ready-dev
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check

demo: $(READY)
	$(BIN)/cimkit demo demo --overwrite

test: $(READY_DEV)
	$(BIN)/ruff check cimkit tests benchmarks
	$(BIN)/ruff format --check cimkit tests benchmarks
	$(BIN)/mypy
	$(BIN)/python -c "from cimkit.kernels.warm_up import warm_up; warm_up()"
	$(BIN)/pytest -n auto --dist loadfile --max-worker-restart=0
	$(BIN)/coverage erase
	NUMBA_DISABLE_JIT=1 $(BIN)/coverage run --source=cimkit.kernels -m pytest -q tests/kernels
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --show-missing --skip-covered --fail-under=95
	NUMBA_BOUNDSCHECK=1 NUMBA_NUM_THREADS=1 $(BIN)/pytest -q tests/kernels

test-long: $(READY_DEV)
	$(BIN)/pytest -m slow -o faulthandler_timeout=0

bench: $(READY_DEV)
	$(BIN)/python -m benchmarks

docs: $(READY_DEV)
	$(BIN)/mkdocs build --quiet --strict
	@echo "Open build/docs/index.html"

wheelhouse: $(READY)
	rm -rf build/wheelhouse build/lib
	$(BIN)/pip download --quiet --disable-pip-version-check --only-binary :all: \
		--require-hashes -r requirements.lock -d build/wheelhouse
	$(BIN)/pip download --quiet --disable-pip-version-check --no-deps pip -d build/wheelhouse
	$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps . -w build/wheelhouse
	@echo "Copy build/wheelhouse. On a machine without internet:"
	@echo "  python3.11 -m venv .venv"
	@echo '  .venv/bin/pip install --no-index --find-links build/wheelhouse "cimkit[meshopt,points]"'

samples: $(READY)
	$(BIN)/cimkit sample data-samples --buildings 11

lock: $(READY_DEV)
	$(BIN)/pip install --quiet uv
	$(COMPILE) --extra test --extra dev --extra docs pyproject.toml -o requirements-dev.lock
	$(COMPILE) --extra meshopt --extra points --constraint requirements-dev.lock pyproject.toml \
		-o requirements.lock

COMPILE := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate

$(READY): requirements.lock pyproject.toml
	@echo "Installing the locked dependencies into .venv; about a minute, once."
	@$(PYTHON) -m venv .venv
	$(INSTALL) --require-hashes -r requirements.lock
	$(INSTALL) --no-deps -e .
	touch $(READY)

$(READY_DEV): $(READY) requirements-dev.lock
	@echo "Installing what the tests need; about a minute, once."
	$(INSTALL) --require-hashes -r requirements-dev.lock
	touch $(READY_DEV)

.PHONY: demo test test-long bench docs wheelhouse samples lock
