.PHONY: help demo test test-all lint docs bench clean
BIN := .venv/bin

help:  ## what there is
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/'

demo:  ## segment a made-up shop and write cards, a report and the model
	python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/xseg demo

test:  ## run the tests, without slow ones and those that need a browser
	python3 -m venv .venv && .venv/bin/pip install -e ".[test]" && .venv/bin/pytest

test-all:  ## run every test; needs Chromium, Node.js and fonts
	python3 -m venv .venv && .venv/bin/pip install -e ".[test]" && XSEG_MAY_SKIP=0 .venv/bin/pytest -m ""

lint:  ## style, types and the import contract
	python3 -m venv .venv && $(BIN)/pip install -q -e ".[lint]"
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python .ci/check_english.py
	$(BIN)/python .ci/check_imports.py

docs:  ## build the documentation, warnings as errors
	python3 -m venv .venv && $(BIN)/pip install -q -e ".[docs]"
	$(BIN)/sphinx-build -n -W -b html docs docs/_build/html

bench:  ## print speed and memory beside peers, as ratios
	python3 -m venv .venv && $(BIN)/pip install -q -e ".[peers]"
	cd benchmarks && for claim in explain fit tree startup live quality usefulness auto surrogate additive prototypes mixture counterfactual cards consent personas; do \
		../$(BIN)/python $$claim.py; done
	cd benchmarks && ../$(BIN)/python growth.py --page ../docs/user_guide/benchmarks.md --plots ../docs/_static
	folder=$$(mktemp -d) && $(BIN)/python benchmarks/large.py $$folder; rm -r $$folder

clean:  ## remove what was built
	rm -rf .venv docs/_build docs/api/generated docs/notebooks xseg-demo build dist .pytest_cache .mypy_cache .ruff_cache
