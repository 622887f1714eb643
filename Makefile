# Each target does the set-up it needs: Python 3.11 or later is all that must be there.
# PYTHON=/path/to/python names one; ARGS="..." goes on to the program behind a target.

SHELL := /bin/sh
BIN := .venv/bin
ARGS ?=
export PYTHON

# Three files of tests at a time, those that take longest first (tests/order.py), also on two cores: tests of the whole
# product wait more than they work. ARGS="-n 0" for one after the other.
AT_ONCE := -n 3 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run test coverage lint format bench chaos docs pictures lock

help: ## What can be done here
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Create .venv and install the pinned dependencies
	@sh scripts/setup.sh requirements.lock

setup-dev:
	@sh scripts/setup.sh requirements-dev.lock

run: setup ## Start everything; without Slack, Redis or a model server, stand-ins take their place
	@$(BIN)/python -m playground up $(ARGS)

test: lint ## Lint, types, import contracts and all tests (ARGS="-k line")
	$(BIN)/python -m pytest $(AT_ONCE) $(ARGS)

# Apart from `test`: following every line of every process adds 50 to 100 % to the work, and shows no other failure.
coverage: setup-dev ## The same tests, and which branches none of them takes; takes far longer (ARGS="tests/unit")
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest $(AT_ONCE) $(ARGS)
	@$(BIN)/coverage combine --quiet && $(BIN)/coverage report

lint: setup-dev ## Style, format, types and import contracts
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: setup-dev ## Mend style and format where a machine can
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format --quiet .

bench: setup-dev ## Measure for an hour, beside what people would use instead (ARGS="--only path")
	$(BIN)/python -m bench $(ARGS)

chaos: setup-dev ## Break everything while people ask, for some 35 minutes (ARGS="--only sqlite-redis --seed 7")
	$(BIN)/python -m bench.reliability $(ARGS)

docs: setup-dev ## Write the reference pages that come from the code
	@$(BIN)/python -m docs.reference.generate

pictures: setup-dev ## Take the pictures of the page anew; needs Chromium
	@$(BIN)/python -m docs.images.make $(ARGS)

lock: ## Choose versions anew within pyproject.toml's ranges (ARGS=--upgrade: the newest)
	@command -v uv >/dev/null || { echo "make lock needs uv: pip install uv" >&2; exit 1; }
	uv pip compile --quiet --universal --python-version 3.11 --no-annotate --custom-compile-command "make lock" \
		--extra playground $(ARGS) --output-file requirements.lock pyproject.toml
	uv pip compile --quiet --universal --python-version 3.11 --no-annotate --custom-compile-command "make lock" \
		--extra playground --extra dev $(ARGS) --constraints requirements.lock \
		--output-file requirements-dev.lock pyproject.toml
