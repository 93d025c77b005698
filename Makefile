# Everything a newcomer or a build server types. `make help` lists it.
.DEFAULT_GOAL := help
.PHONY: help demo test test-lowest lint workflows format docs wheel dist audit pins clean
.SUFFIXES:

PYTHON ?= python3
# What `make test` runs against: src (this checkout, editable) or wheel (built and installed).
TARGET ?= src
TESTS ?=
# The wheel has an environment of its own, where it stands in place of the checkout.
VENV := $(if $(filter wheel,$(TARGET)),.venv-wheel,.venv)
VENV_LOWEST := .venv-lowest
VENV_AUDIT := .venv-audit
PIP := -m pip --disable-pip-version-check --quiet
HASHED := --require-hashes --only-binary :all:
# A worker more than the two cores of a build server: some tests wait for a store or a lease.
PYTEST_WORKERS := --numprocesses 3 --dist loadscope --no-loadscope-reorder
# PySpark is published as source only; there is nothing to compile, and the pinned setuptools packs it.
FROM_SOURCE := --no-binary pyspark --no-build-isolation

# pins/package.txt is the core with the simulator, for the demo; pins/dev.txt is everything;
# pins/lowest.txt has the oldest versions that pyproject.toml allows, and the tests' tools.
help:  ## What can be made
	@sed -n 's/^\([a-z-]*\):.*##/\1\t/p' Makefile | expand -t 13

$(VENV)/.package: pins/package.txt pyproject.toml
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed: make PYTHON=python3.11 …"; exit 2; }
	@echo "Installing into $(VENV) …"
	"$(PYTHON)" -m venv $(VENV)
	$(VENV)/bin/python $(PIP) install $(HASHED) -r pins/package.txt
ifneq ($(TARGET),wheel)
	$(VENV)/bin/python $(PIP) install --no-deps --no-build-isolation --editable .
endif
	@touch $@

$(VENV)/.dev: $(VENV)/.package pins/dev.txt
	@echo "Installing the tools for tests and checks …"
	$(VENV)/bin/python $(PIP) install $(HASHED) $(FROM_SOURCE) -r pins/dev.txt
	@touch $@

demo: $(VENV)/.package  ## Install and run the main job against a pretend Salesforce
	@$(VENV)/bin/crm-portfolio demo

ifeq ($(TARGET),wheel)
test: wheel  ## Install what tests need and run them all; TARGET=wheel: on the built wheel
	$(VENV)/bin/python $(PIP) install --no-deps --force-reinstall dist/*.whl
	CRM_PORTFOLIO_TARGET=wheel $(VENV)/bin/python -m pytest $(PYTEST_WORKERS) $(TESTS)
else
test: $(VENV)/.dev  ## Install what tests need and run them all; TARGET=wheel: on the built wheel
	$(VENV)/bin/python -m pytest $(PYTEST_WORKERS) $(TESTS)
endif

$(VENV_LOWEST)/.lowest: pins/lowest.txt pyproject.toml
	"$(PYTHON)" -m venv --clear $(VENV_LOWEST)
	$(VENV_LOWEST)/bin/python $(PIP) install $(HASHED) -r pins/lowest.txt
	$(VENV_LOWEST)/bin/python $(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

# Not every story of the vendors, the command line and the archive, and neither Airflow nor the
# browser: they take most of the time, and call these libraries as the tests named here do.
LOWEST := $(addprefix tests/,analysis methods normalise portfolio report results settings \
	connectors/files connectors/salesforce/test_contract.py connectors/hubspot/test_contract.py \
	archive/test_older.py archive/test_objects.py cli/test_analyse.py cli/test_help.py) \
	$(addprefix tests/test_,$(addsuffix .py,analyse folder frames import normalise package plots \
	portfolio pull results samples schema settings storage wording))
# Nor Airflow, Ibis and Spark themselves: the oldest of each stands on a hundred packages that
# its own constraints hold together, and does not start on the newest of them.
LOWEST_EXTRAS := duckdb excel ml polars remote report simulator

# What these old versions say to newer ones of each other is not ours to mend.
test-lowest: $(VENV_LOWEST)/.lowest  ## Run the fast tests with the oldest versions that pyproject.toml allows
	$(VENV_LOWEST)/bin/python -m pytest $(PYTEST_WORKERS) -W ignore::DeprecationWarning $(or $(TESTS),$(LOWEST))

lint: $(VENV)/.dev  ## Format, ruff, mypy --strict, the layers of the house, the workflows
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	PYTHONPATH=src $(VENV)/bin/lint-imports
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
	@# A mirror that knows no advisories answers like one that found none; so it is asked first for a hole known for years.
	@echo "jinja2==2.4.1" > $(VENV_AUDIT)/known.txt
	@$(VENV_AUDIT)/bin/pip-audit --no-deps --disable-pip --progress-spinner off --format json -r $(VENV_AUDIT)/known.txt 2>/dev/null | grep -q -E '"(GHSA|PYSEC|CVE)-' || { echo "Nothing was audited: the source of advisories that this machine reaches tells of none, not even those of jinja2 2.4.1. Audit where pypi.org itself answers."; exit 2; }
	$(VENV_AUDIT)/bin/pip-audit --strict --require-hashes --disable-pip --progress-spinner off -r pins/package.txt -r pins/dev.txt

pins: $(VENV)/.dev  ## Renew the pinned versions (needs uv)
	uv pip compile --universal --quiet --upgrade --no-header --no-emit-index-url --no-annotate --generate-hashes --python-version 3.11 --extra simulator --group build pyproject.toml --output-file pins/package.txt
	uv pip compile --universal --quiet --upgrade --no-header --no-emit-index-url --no-annotate --generate-hashes --python-version 3.11 --constraint pins/package.txt --all-extras --group dev pyproject.toml --output-file pins/dev.txt
	uv pip compile --universal --quiet --upgrade --no-header --no-emit-index-url --no-annotate --generate-hashes --python-version 3.11 --group pyproject.toml:audit --output-file pins/audit.txt
	uv pip compile --universal --quiet --no-header --no-annotate --python-version 3.11 --no-deps --constraint pins/dev.txt --group test --group build --output-file $(VENV)/tools.txt
	uv pip compile --universal --quiet --upgrade --no-header --no-emit-index-url --no-annotate --generate-hashes --python-version 3.11 --resolution lowest-direct $(addprefix --extra ,$(LOWEST_EXTRAS)) pyproject.toml $(VENV)/tools.txt --output-file pins/lowest.txt

clean:  ## Remove what was built and installed
	rm -rf .venv .venv-wheel $(VENV_LOWEST) $(VENV_AUDIT) dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
