# Each target makes .venv by itself; PYTHON names another Python, PYTEST_ARGS more for pytest.
PYTHON ?= python3
# Tests wait for servers most of the time: two for each processor.
WORKERS := $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); echo $$((2 * n)))
PIP := .venv/bin/python -m pip install -qq
VERSION := $(shell sed -n 's/^version = //p' setup.cfg)
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null)
BUILD = $(or $(BUILDER),buildah) build -f examples/deploy/Containerfile \
  --build-arg VERSION=$(VERSION) --build-arg REVISION=$(or $(shell git rev-parse HEAD),unknown) \
  --timestamp $(SOURCE_DATE_EPOCH) $(BUILD_ARGS)
SUM = cd dist && rm -f SHA256SUMS && sha256sum * > SHA256SUMS
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore

.PHONY: help run test check docs screenshots manifests image sbom dist version notes bench clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' Makefile

run: .venv/stamp-run ## a demonstration: service, receiver, a push and what it does
	.venv/bin/webhook-service demo

test: .venv/stamp ## all tests; those whose servers this machine lacks are skipped with the reason
	.venv/bin/pytest -n $(WORKERS) --dist loadgroup --no-loadscope-reorder $(PYTEST_ARGS)

check: .venv/stamp ## style, types and the import rules
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

docs: .venv/stamp ## the documentation as a site, in build/site
	.venv/bin/zensical build --strict

screenshots: .venv/stamp ## the pictures of the console in the documentation
	.venv/bin/python -m tests.console.screenshots

manifests: ## the chart as plain manifests; VALUES names a file of values
	@helm template webhook-service examples/deploy/chart $(if $(VALUES),-f $(VALUES)) --skip-tests

image: ## the image; BUILDER, IMAGE, SOURCE and BUILD_ARGS say how, and SOURCE_DATE_EPOCH of when
	$(BUILD) -t $(or $(IMAGE),webhook-service:$(VERSION)) \
	  $(if $(SOURCE),--label org.opencontainers.image.source=$(SOURCE)) .

sbom: ## what the image holds, in dist; built as the image is
	$(BUILD) --target sbom --output type=local,dest=dist .
	mv dist/sbom.cdx.json dist/webhook-service-$(VERSION).cdx.json
	$(SUM)

dist: export SOURCE_DATE_EPOCH := $(SOURCE_DATE_EPOCH)
dist: .venv/stamp ## the files of a release, in dist: wheel, sdist, chart, checksums
	rm -rf dist
	.venv/bin/python -m build
	helm package examples/deploy/chart --destination dist
	$(SUM)

version: ## which version this is
	@echo $(VERSION)

notes: ## what is new in it, from the changelog
	@awk '/^## /{mine = $$2 == "$(VERSION)"} mine' CHANGELOG.md

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
	$(PIP) -e '.[kubernetes,cel,console]'
	@touch $@

define venv
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
  { echo "webhook-service needs Python 3.11 or newer; name one: make PYTHON=/path/to/python3" >&2; exit 1; }
@$(PYTHON) -m venv .venv
endef
