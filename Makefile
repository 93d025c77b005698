# Everything a newcomer or a build server types. `make help` lists it.
.DEFAULT_GOAL := help
.PHONY: help demo test lint format docs wheel pins clean
.SUFFIXES:

PYTHON ?= python3
# What `make test` runs against: src (this checkout, editable) or wheel (built and installed).
TARGET ?= src
TESTS ?=
VENV := .venv
VENV_WHEEL := .venv-wheel
PIP := -m pip --disable-pip-version-check --quiet
HASHED := --require-hashes --only-binary :all:

# pins/package.txt is the core with the simulator, for the demo; pins/dev.txt is everything.
help:  ## What can be made
	@sed -n 's/^\([a-z]*\):.*##/\1\t/p' Makefile | expand -t 10

$(VENV)/.package: pins/package.txt pyproject.toml
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed: make PYTHON=python3.11 …"; exit 2; }
	@echo "Installing into $(VENV) …"
	"$(PYTHON)" -m venv $(VENV)
	$(VENV)/bin/python $(PIP) install $(HASHED) -r pins/package.txt
	$(VENV)/bin/python $(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.package pins/dev.txt
	@echo "Installing the tools for tests and checks …"
	$(VENV)/bin/python $(PIP) install $(HASHED) -r pins/dev.txt
	@touch $@

demo: $(VENV)/.package  ## Install and run the main job against a pretend Salesforce
	@$(VENV)/bin/crm-portfolio demo

ifeq ($(TARGET),wheel)
$(VENV_WHEEL)/.wheel: wheel pins/package.txt pins/dev.txt
	"$(PYTHON)" -m venv --clear $(VENV_WHEEL)
	$(VENV_WHEEL)/bin/python $(PIP) install $(HASHED) -r pins/package.txt -r pins/dev.txt
	$(VENV_WHEEL)/bin/python $(PIP) install --no-deps dist/*.whl
	@touch $@

test: $(VENV_WHEEL)/.wheel  ## Install what tests need and run them all; TARGET=wheel: on the built wheel
	CRM_PORTFOLIO_TARGET=wheel $(VENV_WHEEL)/bin/python -m pytest --numprocesses 2 --dist loadscope --no-loadscope-reorder $(TESTS)
else
test: $(VENV)/.dev  ## Install what tests need and run them all; TARGET=wheel: on the built wheel
	$(VENV)/bin/python -m pytest --numprocesses 2 --dist loadscope --no-loadscope-reorder $(TESTS)
endif

lint: $(VENV)/.dev  ## Format, ruff, mypy --strict, the layers of the house
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

format: $(VENV)/.dev  ## Write the files as the formatter wants them
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

docs: $(VENV)/.dev  ## Build the site into site/, strictly and offline
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict --quiet
	@echo "site/index.html"

wheel: $(VENV)/.dev  ## Build the wheel into dist/
	rm -rf dist
	$(VENV)/bin/python -m build --no-isolation --wheel . >/dev/null
	@ls dist

pins: $(VENV)/.dev  ## Renew the pinned versions (needs uv)
	uv pip compile --universal --quiet --upgrade --no-header --no-emit-index-url --no-annotate --generate-hashes --python-version 3.11 --extra simulator --group build pyproject.toml --output-file pins/package.txt
	uv pip compile --universal --quiet --upgrade --no-header --no-emit-index-url --no-annotate --generate-hashes --python-version 3.11 --constraint pins/package.txt --all-extras --group dev pyproject.toml --output-file pins/dev.txt

clean:  ## Remove what was built and installed
	rm -rf $(VENV) $(VENV_WHEEL) dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
