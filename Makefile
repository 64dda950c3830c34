# Havre: every job has a name here. `make` alone lists them.
#
# Needs only python3 (3.11 or newer) with its venv module, make and git. Everything that is installed goes to .venv;
# the stamps beside it say what is already there, so each target may be run again at any time.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet
PYTEST_ARGS ?=
BENCH_ARGS ?= --output docs/benchmarks.md
TORTURE_ARGS ?= --keep docs/durability.md
SOAK_ARGS ?= --keep docs/durability.md
SIMULATE_ARGS ?=
KEEP   ?=
IMAGE  ?= havre
MINUTES ?= 10

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Test files that run side by side.
JOBS ?= $(shell nproc 2>/dev/null || echo 2)

.PHONY: help install demo run image test bench simulate torture soak screenshots fuzz audit lint format lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(VENV)/.installed ## Install Havre into .venv

demo: install ## Play the whole voyage: account, login, tag, push, page, pull (KEEP=1 leaves it serving)
	@$(BIN)/python -m demo.voyage $(if $(KEEP),--keep)

run: install ## Serve on http://localhost:5000, with the data in ./data
	@exec $(BIN)/havre serve --data data

image: install ## Make Havre's own container image with Havre: into the local store, for `havre push`, `save` or docker
	@$(BIN)/havre pack . --tag $(IMAGE) --user 65532:65532 --expose 5000 --entrypoint "havre serve" \
		--env HAVRE_DATA=/data --env HAVRE_LISTEN=0.0.0.0:5000

test: $(VENV)/.installed-dev ## Install what the tests need and run them all (PYTEST_ARGS="-k tags")
	@scripts/install-test-packages
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(PYTEST_ARGS)

bench: $(VENV)/.installed-dev ## Measure Havre beside its peers (BENCH_ARGS="--quick rates")
	@scripts/install-test-packages
	@$(BIN)/python -m bench $(BENCH_ARGS)

simulate: $(VENV)/.installed-dev ## Run every hot query over a million repositories, 30 GB (SIMULATE_ARGS="--repositories 10000")
	@scripts/install-test-packages
	@$(BIN)/python -m bench.simulation $(SIMULATE_ARGS)

torture: $(VENV)/.installed-dev ## Kill the server 200 times on each database, under load, and compare (TORTURE_ARGS="sqlite --kills 20")
	@scripts/install-test-packages
	@$(BIN)/python -m torture $(TORTURE_ARGS)

soak: $(VENV)/.installed-dev ## Half an hour of pulls and pushes, in the end twice what the machine takes (SOAK_ARGS="--minutes 2")
	@$(BIN)/python -m torture.soak $(SOAK_ARGS)

screenshots: $(VENV)/.installed-dev ## Draw the pictures of the README again
	@scripts/install-test-packages
	@$(BIN)/python -m demo.screenshots

fuzz: $(VENV)/.installed-dev ## Throw random input at every parser for some minutes (MINUTES=10)
	@scripts/fuzz $(MINUTES)

audit: $(VENV)/.installed-dev ## Ask the network whether a locked library has a known weakness
	@echo "This asks the package index about each library of requirements.txt; lint checks what can be checked without."
	@$(BIN)/uv tool run pip-audit --require-hashes --disable-pip --requirement requirements.txt

lint: $(VENV)/.installed-dev ## Check format, lint, types and the rules of the tree
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -q tests/rules

format: $(VENV)/.installed-dev ## Put every file into the one format
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

lock: $(VENV)/.installed-dev ## Choose the newest libraries again and write both lock files
	@scripts/lock --upgrade

clean: ## Remove .venv and the tools' caches (./data stays)
	@rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis

# A venv that no longer runs (the folder moved, the system's Python went away) is made anew.
$(VENV)/pyvenv.cfg:
	@$(PYTHON) scripts/check-python
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/pyvenv.cfg requirements.txt pyproject.toml
	@$(BIN)/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	@echo "Installing Havre into $(VENV) ..."
	@$(PIP) install --require-hashes -r requirements.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.txt
	@echo "Installing what the tests and checks need into $(VENV) ..."
	@$(PIP) install --require-hashes -r requirements-dev.txt
	@touch $@
