# What a newcomer types. Needs Python 3.11 or newer with venv, and make; everything else is fetched into .venv.
.DEFAULT_GOAL := help
.PHONY: help setup run test explore clients test-clients check sdl lock clean

# Each of our processes would compile the whole project anew.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
FIND_PYTHON := for python in python3.14 python3.13 python3.12 python3.11 python3; do \
	$$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$python; break; }; done

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## Make the environment in .venv

$(STAMP): pyproject.toml requirements.lock
	@python=$$($(FIND_PYTHON)); \
	if [ -z "$$python" ]; then \
		echo "Lectern needs Python 3.11 or newer with venv (on Debian and Ubuntu: apt-get install python3-venv)." >&2; exit 1; \
	fi; \
	test -x $(BIN)/python || $$python -m venv $(VENV)
	@echo "Installing into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

run: $(STAMP) ## Start everything: web, background and an embedded Valkey; ARGS="--port 8001" and the like
	@exec $(BIN)/lectern up $(ARGS)

test: $(STAMP) ## Run the tests
	@$(BIN)/python -m pytest $(or $(ARGS),--numprocesses auto --dist worksteal)

explore: $(STAMP) ## Try new cases of the properties that make test tries the same cases of each time
	@$(BIN)/python -m pytest -m hypothesis --hypothesis-profile new $(or $(ARGS),--numprocesses auto --dist worksteal)

clients: ## Fetch the clients of npm, all or none (needs Node)
	@cd tests/clients && { \
		npm ci --no-audit --no-fund --ignore-scripts --prefer-offline --fetch-retries 1 --fetch-timeout 20000 \
		|| { rm -rf node_modules; exit 1; }; }

test-clients: $(STAMP) clients ## Run the clients of npm and the audits (needs Node)
	@$(BIN)/python -m pytest tests/test_clients.py $(ARGS)

check: $(STAMP) ## Lint, format and type-check
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

sdl: $(STAMP) ## Write schema/schema.graphql anew
	@$(BIN)/python -c "from schema import schema; print(schema.as_str())" > schema/schema.graphql

lock: ## Write requirements.lock anew (needs uv)
	@uv export --quiet --no-emit-project --all-groups --all-extras --no-annotate --no-header \
		--output-file requirements.lock && rm -f uv.lock

clean: ## Remove the environment and the caches, never the data
	@rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis
