# Needs Python >= 3.11 and make; everything else is fetched once, pinned by hash, into .venv.
PYTHON ?= python3
UV = .venv/bin/uv
SYNC = $(UV) sync --quiet --frozen

CHROMIUM_PACKAGE = chromium-headless-shell

.PHONY: run test check browser schema bench soak
unexport UV_PROJECT_ENVIRONMENT VIRTUAL_ENV

run: $(UV)     ## the whole of it on this machine: gateway, payment stand-in, charge points
	@$(SYNC) --no-dev --inexact
	@.venv/bin/tallywatt demo

test: $(UV)    ## every test, with real PostgreSQL and Valkey, on two cores
	@$(SYNC)
	@.venv/bin/pytest -n 2 --dist loadfile

check: $(UV)   ## format, lint, types, architecture, house rules
	@$(SYNC)
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo
	.venv/bin/pytest --quiet tests/test_house.py

browser: $(UV) ## pay in a real Chromium, on the stand-in's page and the bank's
	@$(SYNC)
	@.venv/bin/python -c 'from tests.browser.chromium import program; program()' 2>/dev/null || \
		{ [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -qq -y --no-install-recommends $(CHROMIUM_PACKAGE); } || \
		{ echo "No Chromium: install one (Debian: apt install $(CHROMIUM_PACKAGE)), or name yours in CHROMIUM"; exit 1; }
	@.venv/bin/pytest tests/browser -m browser -q

schema: $(UV)  ## write schema.graphql from the code
	@$(SYNC)
	@.venv/bin/tallywatt schema export > schema.graphql.new && mv schema.graphql.new schema.graphql

bench: $(UV)   ## what is measured and not judged
	@$(SYNC)
	@.venv/bin/pytest -m bench -q -s

soak: $(UV)    ## the long form: hours
	@$(SYNC)
	@.venv/bin/pytest -m soak

$(UV):
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Tallywatt needs Python 3.11 or newer: make PYTHON=python3.x")'
	@$(PYTHON) -c 'import ensurepip, venv' || { echo "$(PYTHON) has no venv module: install it (Debian: apt install python3-venv)"; exit 1; }
	@$(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r uv.txt
