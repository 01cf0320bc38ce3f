# The menu. `make demo` and `make test` do all of their own set-up.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: help demo test check bench format docs release clean

help:  ## Show this menu
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

demo: $(READY)  ## The whole loop on rendered tags: train, approve, roll out to three devices (about 5 minutes)
	$(BIN)/lineside demo --yes --exit --json $(ARGS)

test: $(READY)  ## Every test; a file in which one fails beside others is run again, alone
	$(BIN)/python tools/suite.py $(ARGS)

check: $(READY)  ## ruff, mypy --strict, import rules, generated files, licences, known vulnerabilities
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q -p no:cacheprovider tests/repository
	$(BIN)/python tools/advisories.py

bench: $(READY)  ## Every benchmark, quickly
	@for file in $$(grep -l __main__ benchmarks/*.py benchmarks/fleet/__main__.py); do \
	  module=$$(echo $${file%.py} | tr / .); echo "== $$module"; \
	  $(BIN)/python -m $${module%.__main__} --quick || exit 1; done

format: $(READY)  ## Format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(READY)  ## Write the generated reference pages again
	$(BIN)/python docs/generate.py

release: $(READY)  ## dist/: sdist, wheel, and the bill of materials of all that an installation of [all] brings (CycloneDX)
	rm -rf dist build/sbom && mkdir -p dist
	$(BIN)/python -m build --outdir dist
	$(PYTHON) -m venv build/sbom
	build/sbom/bin/pip install --quiet --disable-pip-version-check -c constraints.txt "$$(ls dist/*.whl)[all]"
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --mc-type application --of JSON \
	  --output-reproducible -o dist/lineside.cdx.json build/sbom/bin/python
	@ls -l dist

$(READY): pyproject.toml constraints.txt
	@echo "Installing Lineside and all it needs into .venv, once: about 2.5 GB, a minute or two, more on a slow network."
	$(PYTHON) -m venv .venv
	@[ -t 1 ] || quiet=--quiet; $(BIN)/pip install $$quiet --disable-pip-version-check -c constraints.txt -e '.[all,dev]'
	@touch $@

clean:  ## Remove what these commands made
	rm -rf .venv build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
