# Everything happens in .venv, made and filled from pyproject.toml on first use.
VENV := .venv
PYTHON ?= python3
BIN := $(VENV)/bin

.PHONY: help demo test lint format clean

help:
	@echo "make demo    install, then run dfx on three miniature datasets, end to end (5 minutes at most on 2 cores)"
	@echo "make test    install, then run the linters, the type checker and all tests"
	@echo "make lint    the linters and the type checker alone"
	@echo "make format  format the code"
	@echo "make clean   remove .venv and the demo's output"

$(VENV)/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "dfx needs Python 3.11 or later; name one with: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@echo "installing dfx with PyTorch and DALI (about 8 GB on disk); this takes a few minutes"
	$(BIN)/pip install --quiet --disable-pip-version-check --editable ".[dev]"
	@touch $@

demo: $(VENV)/installed
	$(BIN)/dfx demo

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint
	$(BIN)/pytest

format: $(VENV)/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) demo
