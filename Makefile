# Everything a newcomer or a build server types. `make help` lists it.
.DEFAULT_GOAL := help
.PHONY: help demo test lint workflows format docs wheel dist audit pins clean
.SUFFIXES:

PYTHON ?= python3
# What `make test` runs against: src (this checkout, editable) or wheel (built and installed).
TARGET ?= src
TESTS ?=
VENV := .venv
VENV_WHEEL := .venv-wheel
VENV_AUDIT := .venv-audit
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

lint: $(VENV)/.dev  ## Format, ruff, mypy --strict, the layers of the house, the workflows
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/zizmor --offline --quiet --no-progress --strict-collection .github/workflows

workflows: $(VENV)/.dev  ## What zizmor minds in the workflows, asking the forge too where it may
	$(VENV)/bin/zizmor --no-progress --strict-collection .github/workflows

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

dist: wheel  ## Build the wheel and the source archive into dist/
	$(VENV)/bin/python -m build --no-isolation --sdist . >/dev/null
	@ls dist

audit: pins/audit.txt  ## Look for known holes in what is pinned (needs the network)
	"$(PYTHON)" -m venv --clear $(VENV_AUDIT)
	$(VENV_AUDIT)/bin/python $(PIP) install $(HASHED) -r pins/audit.txt
	$(VENV_AUDIT)/bin/pip-audit --strict --require-hashes --disable-pip --progress-spinner off -r pins/package.txt -r pins/dev.txt

pins: $(VENV)/.dev  ## Renew the pinned versions (needs uv)
	uv pip compile --universal --quiet --upgrade --no-header --no-emit-index-url --no-annotate --generate-hashes --python-version 3.11 --extra simulator --group build pyproject.toml --output-file pins/package.txt
	uv pip compile --universal --quiet --upgrade --no-header --no-emit-index-url --no-annotate --generate-hashes --python-version 3.11 --constraint pins/package.txt --all-extras --group dev pyproject.toml --output-file pins/dev.txt
	uv pip compile --universal --quiet --upgrade --no-header --no-emit-index-url --no-annotate --generate-hashes --python-version 3.11 --group pyproject.toml:audit --output-file pins/audit.txt

clean:  ## Remove what was built and installed
	rm -rf $(VENV) $(VENV_WHEEL) $(VENV_AUDIT) dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
