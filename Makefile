# Every command of the project; `make` alone prints them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PASSES := $(VENV)/.passes
ARGS ?=

# PyPI's torch for Linux brings 3 GB of CUDA. Where PyTorch's own index can be reached, its build for
# the CPU is taken; `TORCH_INDEX=` takes what PyPI has.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

# An emulator of Azure's blobs; the tests of Azure are left out, and say so, where it is not installed.
AZURITE_VERSION := 3.35.0

export DAGSTER_HOME := $(CURDIR)/.dagster_home
export DAGSTER_DISABLE_TELEMETRY := 1

.DEFAULT_GOAL := help
.PHONY: help setup demo dev test azurite bench plan lint format constraints clean

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) $(PASSES) ## Create .venv and install everything

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Python 3.11 or newer is needed, but $(PYTHON) is: $$($(PYTHON) --version 2>&1)"; \
	  echo "Install one and name it: make setup PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { \
	  echo "The virtual environment could not be made; on Debian: apt-get install python3-venv"; \
	  exit 1; }
	@echo "Installing into $(VENV); the first time takes some minutes."
	@index="$(TORCH_INDEX)"; extra=; \
	if [ "$$(uname -s)" = Linux ] && [ -n "$$index" ] && $(BIN)/python -c \
	  'import sys, urllib.request; urllib.request.urlopen(sys.argv[1] + "/torch/", timeout=5)' \
	  "$$index" >/dev/null 2>&1; then extra="--extra-index-url $$index"; fi; \
	$(BIN)/python -m pip install --disable-pip-version-check $$extra \
	  -c constraints.txt -e '.[dev,docker,trieve]'
	@touch $@

# Numba keeps compiled passes by the file they stand in, and does not see when a function changes that
# they call in another file. They are compiled here, so that no first run waits for it.
$(PASSES): $(shell grep -rlE 'compile_(loop|step)' ocsf_pipeline --include='*.py') | $(STAMP)
	@find ocsf_pipeline -name '*.nb[ic]' -delete
	@$(BIN)/python -m ocsf_pipeline.commands.compile_passes
	@touch $@

demo: setup .dagster_home/dagster.yaml ## Run the whole pipeline on the sample logs and show the result
	@$(BIN)/ocsf-pipeline demo $(ARGS)

dev: setup .dagster_home/dagster.yaml ## Open Dagster's UI on the same data: http://localhost:3000
	@$(BIN)/dg dev $(ARGS)

# The laptop's file; the dagster.yaml at the top is for servers.
.dagster_home/dagster.yaml: deploy/laptop/dagster.yaml
	@mkdir -p $(@D)
	@cp $< $@

test: setup ## Run the tests
	@$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

azurite: .azurite/node_modules/.bin/azurite-blob ## Install the server that tests of Azure need (npm, 190 MB)

.azurite/node_modules/.bin/azurite-blob:
	@npm install --prefix .azurite --no-save --no-audit --no-fund --loglevel=error azurite@$(AZURITE_VERSION)

validate: setup ## Check the files in deploy/ with Docker Compose, kubectl and nginx, where they are
	@deploy/validate.sh

rehearse: setup ## Start all services natively, push logs, kill each, count rows; up to 10 minutes
	@$(BIN)/python -m ocsf_pipeline_tests.rehearsal $(ARGS)

plan: setup ## Plan runs, pods, storage and cost: make plan ARGS='--rate 50000 --bench bench.json'
	@$(BIN)/python -m ocsf_pipeline.bench.plan $(ARGS)

bench: setup ## Run the benchmarks and print JSON; less: make bench ARGS='--events 100000'
	@$(BIN)/python -m ocsf_pipeline.bench $(ARGS)

lint: setup .dagster_home/dagster.yaml ## Check format, style, types and the Dagster definitions
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/dg check defs

format: setup ## Format the code and repair what can be repaired
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

constraints: ## Write constraints.txt anew from .venv
	@{ sed -n '/^#/p' constraints.txt; \
	  $(BIN)/python -m pip freeze --exclude-editable | sed -e '/^#/d' -e 's/+cpu$$//'; } > constraints.new
	@mv constraints.new constraints.txt

clean: ## Remove .venv, caches and Dagster's run history; the data stays
	@rm -rf $(VENV) .azurite .dagster_home .pytest_cache .ruff_cache .mypy_cache .hypothesis build dist
	@find ocsf_pipeline ocsf_pipeline_tests -name __pycache__ -prune -exec rm -rf {} +
