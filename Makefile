# Paths are relative throughout, so that the checkout may lie in a folder with spaces in its name.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?=
VENV := .venv/bin/python
READY := .venv/.ready
NEURAL := .venv/.ready-neural
PIP := $(VENV) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

# An environment that was copied or moved points at the checkout it came from: it is set up again.
ifneq ($(shell cat $(READY) 2>/dev/null),$(CURDIR))
$(shell rm -f $(READY) $(NEURAL))
endif

.PHONY: help install neural demo test check audit format wheel bench clean distclean

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

install: $(READY) ## Set up .venv with Spark, Delta and the tools (once; again when the versions change)
	@echo "ready: .venv"

# A small night is all start-up: the JVM's second compiler and many partitions cost more than they bring.
QUICK_START := --driver-java-options '-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=512m' \
	--conf spark.sql.shuffle.partitions=2

demo: $(READY) demo/.generated ## Generate a small dump in the Netflix format and run the whole night on it
	@SPARK_ARGS="$(QUICK_START) $${SPARK_ARGS-}" \
		./spark-submit.sh nightly --env local --set data.path=demo/raw --set tables.root=demo/tables

neural: $(NEURAL) ## Add torch and petastorm to .venv, for the neural models (several GB)
	@echo "ready: .venv, with torch"

# Two files at a time, each process with its own Spark session: most of a test is one thread planning queries.
# In the order of the folders, whole nights first and unit tests last, so that both processes end together; xdist's own
# order, by the number of tests in a file, keeps the nights for the end.
test: $(NEURAL) ## Run all tests
	@$(VENV) -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder --durations 25

check: $(NEURAL) ## Lint, formatting and types
	@$(VENV) -m ruff check
	@$(VENV) -m ruff format --check
	@$(VENV) -m mypy

audit: $(READY) ## Look the pinned versions up in PyPI's database of vulnerabilities
	@$(VENV) -m venv .venv/audit && .venv/audit/bin/python -m pip install --quiet pip-audit
	@.venv/audit/bin/pip-audit --requirement constraints.txt --no-deps --disable-pip

format: $(READY) ## Format the code and mend what ruff can
	@$(VENV) -m ruff check --fix-only
	@$(VENV) -m ruff format

wheel: $(READY) ## Build dist/nightreel-*.whl
	@$(VENV) -m build --wheel --no-isolation --outdir dist

bench: $(READY) ## Install what the programs in bench/ need besides, and name them
	@$(PIP) --no-build-isolation --editable '.[spark,report,dev,neural,bench]'
	@for program in bench/*.py; do echo "  $(VENV) $$program --help"; done

clean: ## Remove what was built, generated and logged; .venv stays
	@rm -rf build dist demo logs spark-warehouse .pytest_cache .mypy_cache .ruff_cache .hypothesis

distclean: clean ## Remove .venv too
	@rm -rf .venv

demo/.generated: | $(READY)
	@rm -rf demo/raw
	@.venv/bin/nightreel sample --ratings 200_000 --broken 25 --out demo/raw
	@touch demo/.generated

define FIND_PYTHON
for python in $(if $(PYTHON),"$(PYTHON)",python3 python3.13 python3.12 python3.11); do \
	if command -v "$$python" >/dev/null && "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
		found=$$python; break; \
	fi; \
done; \
if [[ -z $${found-} ]]; then \
	echo "nightreel: Python 3.11 or newer is needed and $(or $(PYTHON),python3) is none: install one" \
		"(Debian, Ubuntu: apt install python3-venv; macOS: brew install python@3.12) or name it: make PYTHON=..." >&2; \
	exit 1; \
fi
endef

$(READY): pyproject.toml constraints.txt
	@$(FIND_PYTHON); \
	PYTHONPATH=lib "$$found" -m nightreel.session.java || exit 1; \
	if ! $(VENV) -c '' 2>/dev/null; then \
		"$$found" -m venv --clear .venv >/dev/null || { \
			echo "nightreel: $$found could not make .venv: install its venv module (Debian, Ubuntu: apt install python3-venv)" >&2; \
			exit 1; }; \
	fi; \
	echo "Setting up .venv (once, a minute or two) ..."; \
	$(PIP) hatchling setuptools wheel && $(PIP) --no-build-isolation --editable '.[spark,report,dev]' || { \
		echo "nightreel: pip could not install the requirements (see above): is there a network?" >&2; exit 1; }; \
	$(VENV) -m nightreel.session.delta_jars || exit 1; \
	printf '%s\n' "$(CURDIR)" >$(READY)

$(NEURAL): $(READY)
	@echo "Adding torch to .venv (once, some minutes) ..."; \
	$(PIP) --no-build-isolation --editable '.[neural]' || { \
		echo "nightreel: pip could not install torch and petastorm (see above): is there a network?" >&2; exit 1; }; \
	touch $(NEURAL)
