# Every target sets up what it needs. `make` alone lists them.

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$p && break; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
# What pip has to say is worth reading only when it fails.
QUIETLY := >.venv/setup.log 2>&1 || { cat .venv/setup.log; exit 1; }
DISTRIBUTIONS := pyproject.toml client/pyproject.toml constraints.txt

.DEFAULT_GOAL := help
.PHONY: help setup demo run test check bench bench-peers chaos soak lint format protos clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/demo  ## send 1,000 real messages through the whole stack on this machine, and watch
	@$(BIN)/python -m demo

run: .venv/demo  ## the same stack, staying up for use (Ctrl-C stops it)
	@$(BIN)/python -m demo run

test: .venv/test  ## all tests
	@$(BIN)/python -m pytest $(PYTEST)

check: lint test  ## everything that must hold: format, lint, types, layers, contract, manifests, tests

bench: .venv/test  ## the speed of it all, measured (some minutes; BENCH="--help" says more)
	@$(BIN)/python -m bench run $(BENCH)

bench-peers: .venv/test  ## the same beside Debian's Postfix with opendkim (as root)
	@$(BIN)/python -m bench run --peers $(BENCH)

lint: .venv/dev  ## the static half of `make check`
	@$(BIN)/ruff format --check --quiet . || { echo "run: make format"; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache >/dev/null || { $(BIN)/lint-imports --no-cache; exit 1; }
	@$(BIN)/python -m tools.protos lint
	@$(BIN)/python -m tools.protos breaking
	@$(BIN)/python -m tools.manifests
	@$(BIN)/python -m services.bounce check

format: .venv/dev  ## format the code
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format .

protos: .venv/dev  ## write the generated code anew, from protos/ and from the settings
	@$(BIN)/python -m tools.protos generate
	@$(BIN)/python -m tools.reference

chaos: .venv/demo  ## the fault suite: kill, cut off, stop, fill up; about eight minutes (ROWS="F1 F3": only these)
	@$(BIN)/python -m chaos $(ROWS)

soak: .venv/demo  ## the fault suite at 25 times its size; some hours
	@$(BIN)/python -m chaos --messages 50000 $(ROWS)

setup: .venv/dev  ## everything a developer needs, in .venv

clean:  ## remove what the targets made
	rm -rf .venv var build .mypy_cache .ruff_cache .pytest_cache .hypothesis client/*.egg-info *.egg-info

# Three sets of packages, each within the next: what runs, what tests need, what developers need.

.venv/demo: .venv/base
	@echo "Setting up: packages of the services and the demo (half a minute) ..."
	@$(PIP) --editable client --editable '.[all]' $(QUIETLY)
	@touch $@

.venv/test: .venv/demo
	@echo "Setting up: packages of the tests ..."
	@$(PIP) --editable client --editable '.[test]' $(QUIETLY)
	@touch $@

.venv/dev: .venv/test
	@echo "Setting up: packages of the developers ..."
	@$(PIP) --editable client --editable '.[dev]' $(QUIETLY)
	@touch $@

.venv/base: $(DISTRIBUTIONS)
	@test -n "$(PYTHON)" || { echo "emta needs Python 3.11 or newer (Debian: apt-get install python3-venv)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { $(PYTHON) -c \
		'import sys; print("Python has no ensurepip: apt-get install python%d.%d-venv" % sys.version_info[:2])'; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@touch $@
