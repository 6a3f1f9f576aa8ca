# Each target makes .venv by itself; PYTHON names another Python, PYTEST_ARGS more for pytest.
PYTHON ?= python3
WORKERS := $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); [ "$$n" -ge 2 ] && echo "$$n" || echo 2)
PIP := .venv/bin/python -m pip install -qq
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore

.PHONY: help run test check bench clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' Makefile

run: .venv/stamp-run ## a demonstration: service, receiver, a push and what it does
	.venv/bin/webhook-service demo

test: .venv/stamp ## all tests; those whose servers this machine lacks are skipped with the reason
	.venv/bin/pytest -n $(WORKERS) --dist loadgroup $(PYTEST_ARGS)

check: .venv/stamp ## style, types and the import rules
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

bench: .venv/stamp ## the benchmarks
	.venv/bin/python -m tests.benchmarks

clean: ## remove .venv and everything that was built
	rm -rf .venv build dist *.egg-info .*_cache .hypothesis .coverage*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/stamp: setup.cfg pyproject.toml
	$(call venv)
	$(PIP) -e '.[dev]'
	@touch .venv/stamp-run $@

.venv/stamp-run: setup.cfg pyproject.toml # only what the service needs
	$(call venv)
	$(PIP) -e '.[kubernetes,cel]'
	@touch $@

define venv
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
  { echo "webhook-service needs Python 3.11 or newer; name one: make PYTHON=/path/to/python3" >&2; exit 1; }
@$(PYTHON) -m venv .venv
endef
