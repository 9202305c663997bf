# Each target is one word. They use the Python of the active environment: `make PYTHON=.venv/bin/python test`.
PYTHON ?= python

.PHONY: help install lint format types test test-all bench docs demo ci clean

help:
	@echo "install lint format types test test-all bench docs demo ci clean"

install:
	$(PYTHON) -m pip install -c constraints.txt -e ".[test]"

lint:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -c "from importlinter.cli import lint_imports_command; lint_imports_command()"

format:
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

types:
	$(PYTHON) -m mypy

test:
	$(PYTHON) -m pytest -q -n auto

test-all:
	$(PYTHON) -m pytest -q -m "not clients"

bench:
	$(PYTHON) -m benchmarks

docs:
	$(PYTHON) -m pytest -q tests/test_docs.py tests/test_errors_page.py
	$(PYTHON) docs/site/build_site.py build/site

demo:
	$(PYTHON) -m ganglion demo

ci:
	bash .ci/run

clean:
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache ganglion_demo
	find . -name __pycache__ -not -path "./.venv/*" -prune -exec rm -rf {} +
