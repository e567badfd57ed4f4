# What a person types; every target sets up what it needs from nothing.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
PYTHON_RUN := $(VENV)/bin/python
MUSIC :=
ARGS :=
REPEATS := 20
quoted = '$(subst ','\'',$(1))'

.PHONY: help play dev test flaky soak lint docs bench lock system-play system-test clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  MUSIC=FOLDER  what 'make play' plays (else demo songs that it makes itself)"
	@echo "  ARGS='...'    more options for 'make play' (endlos play --help) and 'make test' (pytest)"

play: $(VENV)/.runtime system-play ## play without end: MUSIC=~/Music, or demo songs
	@$(PYTHON_RUN) -m tools.cli play $(if $(MUSIC),$(call quoted,$(MUSIC))) $(ARGS)

dev: $(VENV)/.dev ## set up all packages, those for training and for work on endlos too

test: $(VENV)/.dev system-test ## run all tests, side by side on the cores (ARGS="-n 0": one after another)
	$(PYTHON_RUN) -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

flaky: $(VENV)/.dev system-test ## run the tests that wait, again and again on a busy machine (REPEATS=20)
	@bash tests/flaky.sh $(PYTHON_RUN) $(REPEATS) $(ARGS)

soak: $(VENV)/.dev system-test ## run the tests that take long: damage of every kind, again and again
	$(PYTHON_RUN) -m pytest -m soak $(ARGS)

lint: $(VENV)/.dev ## check style, types and which room may import which
	$(PYTHON_RUN) -m ruff check .
	$(PYTHON_RUN) -m ruff format --check .
	$(PYTHON_RUN) -m mypy
	PYTHONPATH=. $(VENV)/bin/lint-imports

docs: $(VENV)/.dev ## write the reference pages of docs/ and the tables of rooms from the code
	$(PYTHON_RUN) -m tests.support.reference

bench: $(VENV)/.dev system-play ## run all benchmarks; results are appended to benchmarks/results.jsonl
	@failed=(); for file in benchmarks/bench_*.py; do \
		name=$$(basename "$$file" .py); echo; echo "== $$name"; \
		$(PYTHON_RUN) -m "benchmarks.$$name" || failed+=("$$name"); \
	done; \
	if [ $${#failed[@]} -gt 0 ]; then echo "failed: $${failed[*]}" >&2; exit 1; fi

# One lock for every system and every Python: pip-compile resolves only for the machine it runs on, uv for all.
UV := $(VENV)/lock/bin/uv pip compile pyproject.toml - --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --custom-compile-command 'make lock' --quiet
lock: ## pin anew what pyproject.toml asks for (UPGRADE=1: the newest versions)
	bash tools/setup.sh venv $(VENV)/lock
	$(VENV)/lock/bin/python -m pip install -q uv
	unset PIP_FIND_LINKS UV_FIND_LINKS; \
	echo 'setuptools>=77' | $(UV) $(if $(UPGRADE),--upgrade) -o requirements.lock; \
	echo 'setuptools>=77' | $(UV) $(if $(UPGRADE),--upgrade) -c requirements.lock --extra dev -o requirements-dev.lock

clean: ## remove the virtual environment and all caches
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

system-play:
	@bash tools/setup.sh system play

system-test:
	@bash tools/setup.sh system test

# Playing needs no TensorFlow, so it has a lock of its own; the development lock holds the same pins and more.
$(VENV)/.runtime: requirements.lock pyproject.toml
	@bash tools/setup.sh python $(VENV) requirements.lock
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml
	@bash tools/setup.sh python $(VENV) requirements-dev.lock
	@touch $@ $(VENV)/.runtime
