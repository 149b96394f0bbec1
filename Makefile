# Every target sets up what it needs; Python 3.11 or newer and pip are all that must be there.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTEST := $(BIN)/python -m pytest
SITE ?= site
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: setup browser demo docs test test-all check lint types imports format bench gpu clean

setup: $(READY)

# Every package is pinned by version and hash; hierseg itself is built by the pinned setuptools.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "hierseg needs Python 3.11 or newer; name one: make PYTHON=/path/to/python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --require-hashes -r constraints.txt
	$(PIP) --no-deps --no-build-isolation -e .
	touch $(READY)

demo: $(READY)
	$(BIN)/hierseg demo --out demo-out

# The documentation as a site, without network; a warning, as of a link to nowhere, is an error.
docs: $(READY)
	$(BIN)/python -m sphinx -W --keep-going -b html -d $(SITE)/.doctrees docs $(SITE)

# The pages' tests want a browser; where none can be had they are skipped, and say so.
browser:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || { \
	  test "$$(id -u)" = 0 && command -v apt-get >/dev/null && export DEBIAN_FRONTEND=noninteractive && { \
	    apt-get install -y -qq --no-install-recommends chromium || { apt-get update -qq && \
	      apt-get install -y -qq --no-install-recommends chromium; }; } >/dev/null 2>&1; \
	} || echo "no Chromium: the tests of pages in a browser are skipped"

test: $(READY) browser
	$(PYTEST) -n 2 -m "not slow"

test-all: $(READY) browser
	$(PYTEST) -n 2

check: lint types imports test

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(READY)
	$(BIN)/mypy

imports: $(READY)
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Speed, throughput and memory on this machine's CPU, in at most 20 minutes.
bench: $(READY)
	$(BIN)/python -m benchmarks

# The same on a CUDA GPU, and parity with the CPU, in at most 4.
gpu: $(READY)
	$(BIN)/python -m benchmarks.gpu

clean:
	rm -rf $(VENV) demo-out build $(SITE) src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
