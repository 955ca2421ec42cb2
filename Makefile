# Needs Python >= 3.11 and make; everything else is fetched once, pinned by hash, into .venv.
PYTHON ?= python3
UV = .venv/bin/uv
SYNC = $(UV) sync --quiet --frozen

.PHONY: run test check schema bench soak
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
