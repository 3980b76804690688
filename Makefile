PYTHON ?= python3
# Test processes.
WORKERS ?= 2
# What `make reproduce` probes: a name on the Hub, a folder, or pkg:package/folder.
ENCODER ?= bert-base-uncased

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

UNMARKED := not slow and not corpus and not browser and not gpu
MARKED := (slow or corpus or browser) and not gpu

.DEFAULT_GOAL := help
.PHONY: help demo test test-all lint bench docs paper reproduce clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(STAMP) ## the whole job once, on the built-in corpus and the embedded BERT
	$(BIN)/probes run experiments/quickstart.yaml
	@echo "The curve:   results/runs/quickstart/ (JSON), results/tables/, results/figures/"
	@echo "A page:      $(BIN)/probes report, then open results/index.html"
	@echo "In W&B:      $(BIN)/wandb leet wandb"
	@echo "What it did: experiments/quickstart.yaml"

test: lint ## lint, types and the unmarked tests
	$(BIN)/pytest -n $(WORKERS) -m "$(UNMARKED)"

# AFTER_TEST=1 leaves out what `make test` has just passed.
ifdef AFTER_TEST
test-all: $(STAMP)
	$(BIN)/pytest -n $(WORKERS) -m "$(MARKED)"
else
test-all: lint ## lint, types and all tests that need no GPU
	$(BIN)/pytest -n $(WORKERS) -m "not gpu"
endif

lint: $(STAMP) ## ruff and pyright, the versions of constraints.txt
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

bench: $(STAMP) ## every benchmark in experiments/benchmarks
	@set -e; for file in $(sort $(wildcard experiments/benchmarks/[a-z]*.py)); do \
		echo "$$file"; $(BIN)/python "$$file"; done

docs: $(STAMP) ## how-to pages and the reference, into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

paper: ## paper/main.pdf, its numbers taken from results/
	$(MAKE) -C paper

reproduce: $(STAMP) ## every experiment with ENCODER, then scores, verdicts, tables, figures and page; killed, it goes on
	$(BIN)/python experiments/reproduce.py --encoder $(ENCODER)

clean: ## what tools left behind; keeps .venv, results/ and wandb/
	rm -rf build dist site .pytest_cache .ruff_cache .hypothesis lightning_logs
	find . -path ./$(VENV) -prune -o -type d -name __pycache__ -exec rm -rf {} +
	$(MAKE) -C paper clean

# Modules are compiled when they are first imported, and most never are. The stamp is written last, so an install that was
# interrupted is done again. An existing environment is brought up to date.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "probes needs Python 3.11 or newer, but '$(PYTHON)' is $$($(PYTHON) --version 2>&1)." \
			"Name another one: make PYTHON=python3.11"; exit 2; } >&2
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --no-compile -c constraints.txt -e ".[demo,dev]"
	@touch $@
