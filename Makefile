# ZenOps: `make` lists what can be made.
PYTHON ?= python3
BIN := .venv/bin
SPECIMEN := fixtures/cases/specimen-house
# A marker beside the environment says which lock it was filled from.
READY := .venv/.filled

.DEFAULT_GOAL := help
.PHONY: help setup web-assets demo restore-drill serve test test-durable test-pdf test-browser chaos mutate page-pictures feel-fuzz check golden golden-check bench pictures docs lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("ZenOps needs Python 3.11 to 3.14; name one: make PYTHON=python3.11" if not (3, 11) <= sys.version_info < (3, 15) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)

setup: $(READY) web-assets ## fill .venv and bundle the pages' assets, so that everything runs

web-assets: $(READY) ## bundle the pages' scripts and styles; Node is the machine's, else from a wheel
	@$(BIN)/python scripts/make_web_assets.py

demo: $(READY) ## evaluate the specimen, take it through a service of its own to a paid, released report, verify that
	@$(BIN)/python scripts/draw_specimen_photographs.py
	@$(BIN)/zenops evaluate $(SPECIMEN)
	@echo
	@$(BIN)/zenops-service demo $(SPECIMEN) -o build
	@echo
	@$(BIN)/zenops verify build/specimen-house.zip --recompute

restore-drill: $(READY) ## dump a service, restore it elsewhere, prove rows, invariants, audit and policies
	@$(BIN)/python scripts/draw_specimen_photographs.py
	@$(BIN)/zenops-service restore-drill $(SPECIMEN) -o build

serve: $(READY) web-assets ## start the whole service on this machine; Ctrl-C ends it
	@$(BIN)/zenops-service serve

pictures: demo ## draw the pages of docs/pictures from the demo's PDF; needs LibreOffice and poppler
	$(BIN)/python scripts/draw_report_pages.py build/specimen-house.pdf

test: $(READY) web-assets ## all tests that need no system package
	$(BIN)/python -m pytest -n 2 --dist worksteal -q

test-durable: $(READY) ## the durable-rules matcher; needs a C compiler and Python below 3.13
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-build-isolation -r requirements-durable.lock
	$(BIN)/python -m pytest -q tests/durable

test-pdf: $(READY) ## reports as PDF; needs LibreOffice, poppler and the Liberation fonts
	$(BIN)/python -m pytest -q tests/pdf tests/service/packs/pdf

chaos: CAMPAIGN ?= full
chaos: $(READY) ## processes and servers killed again and again: several hours, most of them for the ledger; hours with CAMPAIGN=long
	ZENOPS_CAMPAIGN=$(CAMPAIGN) $(BIN)/python -m pytest -q -m campaign tests/chaos tests/service

mutate: $(READY) ## break the money code on purpose and see who notices; two or three hours
	$(BIN)/python scripts/mutate.py

test-browser: $(READY) web-assets ## the pages in Chromium, on a whole running service; needs chromium
	$(BIN)/python -m pytest -q tests/browser

page-pictures: $(READY) web-assets ## draw the pages of docs/pictures from a running service; needs chromium
	@$(BIN)/python scripts/draw_specimen_photographs.py
	$(BIN)/python scripts/draw_pages.py
	$(BIN)/python scripts/draw_invoice.py

feel-fuzz: $(READY) ## a million generated FEEL expressions
	ZENOPS_FEEL_EXPRESSIONS=1000000 $(BIN)/python -m pytest -q tests/feel/test_generated_expressions.py

check: $(READY) ## style, types, imports, generated files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/yamllint --strict rules profiles fixtures
	$(BIN)/python scripts/write_schemas.py --check
	$(BIN)/python scripts/write_error_docs.py --check
	$(BIN)/python scripts/write_locks.py --check
	$(BIN)/python scripts/write_unit_table.py --check
	$(BIN)/python scripts/write_profile_table.py --check
	$(BIN)/python scripts/write_template_fields.py --check
	$(BIN)/python scripts/build_templates.py --check
	$(BIN)/python scripts/write_interface.py --check

golden: $(READY) ## write the expected results of the fixture cases
	$(BIN)/python scripts/draw_specimen_photographs.py
	$(BIN)/zenops golden update

golden-check: $(READY) ## compare the fixture cases with their expected results
	$(BIN)/python scripts/draw_specimen_photographs.py
	$(BIN)/zenops golden check

bench: $(READY) ## measure against named rivals, as ratios
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.lock
	@$(BIN)/python scripts/draw_specimen_photographs.py
	$(BIN)/python -m bench

docs: $(READY) ## write the generated pages and schemas
	$(BIN)/python scripts/write_schemas.py
	$(BIN)/python scripts/write_error_docs.py
	$(BIN)/python scripts/write_unit_table.py
	$(BIN)/python scripts/write_profile_table.py
	$(BIN)/python scripts/write_template_fields.py
	$(BIN)/python scripts/build_templates.py
	$(BIN)/python scripts/write_interface.py

UV := $(shell command -v uv || echo $(BIN)/uv)
COMPILE := UV_PYTHON_DOWNLOADS=never $(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --quiet

lock: $(READY) ## resolve the dependencies anew (needs uv)
	$(COMPILE) --group dev --group build --extra local --extra oidc pyproject.toml -o requirements.lock
	$(COMPILE) --extra durable --no-emit-package zenops -c requirements.lock pyproject.toml -o requirements-durable.lock
	$(COMPILE) --extra bench -c requirements.lock pyproject.toml -o requirements-bench.lock
	$(COMPILE) --group build --extra oidc -c requirements.lock pyproject.toml -o requirements-server.lock
	$(COMPILE) --group assets -c requirements.lock -o requirements-assets.lock

clean: ## take away what was built
	rm -rf build .venv
