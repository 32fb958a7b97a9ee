# Everything a developer or a newcomer runs. `make help` lists it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOWEST := .venv-lowest
CLIENTS := .venv-clients
# Three workers keep two cores busy: tests wait for servers and databases.
PYTEST := -m pytest -q -n 3 --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help demo serve test test-all test-lowest faults lint format openapi bench bench-serving lock clean

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(VENV)/.demo ## Set up, import 1.47 million real order lines, train, evaluate, publish, and serve on 127.0.0.1:8000
	$(BIN)/nextoffer demo

serve: $(VENV)/.demo ## Serve what was trained
	$(BIN)/nextoffer serve

test: $(VENV)/.dev ## Set up and run the fast tests
	$(BIN)/python $(PYTEST) -m "not slow"

test-all: $(VENV)/.dev $(CLIENTS)/.clients ## Set up and run every test: the whole demo, kills, load, and the benchmarks' targets too
	$(BIN)/python $(PYTEST) -n 2

# Old releases use what their newer dependencies deprecate, and openapi.yaml is written with the locked versions.
test-lowest: $(LOWEST)/.lowest ## Set up the lowest versions that pyproject.toml allows, and run the fast tests on them
	$(LOWEST)/bin/python $(PYTEST) -m "not slow" -W default::DeprecationWarning \
	  --deselect tests/service/server/test_contract.py::test_the_file_is_current

lint: $(VENV)/.dev ## Check format, style, types, import rules, unused dependencies and the OpenAPI file
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/python -m service.server.openapi --check
	$(BIN)/python -m service.base.telemetry_page --check
	$(BIN)/python -m service.base.errors_page --check

format: $(VENV)/.dev ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

openapi: $(VENV)/.dev ## Write openapi.yaml, docs/telemetry.md and docs/errors.md from the code
	$(BIN)/python -m service.server.openapi
	$(BIN)/python -m service.base.telemetry_page
	$(BIN)/python -m service.base.errors_page

bench: $(VENV)/.dev ## Print every benchmark table: import, training, scoring, live state, serving
	$(BIN)/python -m benchmarks

bench-serving: $(VENV)/.dev ## Print the tables of serving: beside a hello world, growth, memory, start-up
	$(BIN)/python -m benchmarks serving

faults: $(VENV)/.dev ## The long runs: 20 kills, 100,000 hostile requests, ten minutes of load
	NEXTOFFER_FAULT_ROUNDS=20 NEXTOFFER_FUZZ_REQUESTS=100000 NEXTOFFER_SOAK_SECONDS=600 \
	  $(BIN)/python -m pytest -q -s tests/service/faults

lock: $(VENV)/.dev ## Renew the hashed requirement files
	$(BIN)/pip install --quiet uv
	requirements/lock $(BIN)/uv

clean: ## Remove the environment and everything that was made
	rm -rf $(VENV) $(LOWEST) $(CLIENTS) var .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# One environment, and another for the lowest versions; each stamp says which hashed requirement file it holds. The package itself is installed editable,
# with the pinned build backend, so that nothing unpinned is fetched.
$(VENV)/.demo: requirements/demo.txt pyproject.toml
	$(call install,$(VENV),demo)

$(VENV)/.dev: requirements/dev.txt pyproject.toml
	$(call install,$(VENV),dev)
	@touch $(VENV)/.demo

$(LOWEST)/.lowest: requirements/lowest.txt pyproject.toml
	$(call install,$(LOWEST),lowest)

# Generators of clients, in Python and TypeScript. Without npm or the registry the tests of TypeScript are skipped.
$(CLIENTS)/.clients: requirements/clients.txt requirements/clients-npm.txt
	test -x $(CLIENTS)/bin/python || $(PYTHON) -m venv $(CLIENTS)
	$(CLIENTS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/clients.txt
	command -v npm >/dev/null || { echo "npm is not installed: no TypeScript client is tested"; exit 0; }; \
	  npm install --silent --ignore-scripts --no-save --no-package-lock --no-audit --no-fund --prefix $(CLIENTS) \
	  $$(cat requirements/clients-npm.txt)
	@touch $@

define install
	test -x $(1)/bin/python || $(PYTHON) -m venv $(1)
	$(1)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/$(2).txt
	$(1)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
endef
