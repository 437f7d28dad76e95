# make setup  a virtual environment in .venv with everything pinned by constraints.txt
# make demo   the main job; STUDY=name SCALE=scale for any other study
# make test   lint, types and tests
# make test-long   the same with new random examples and the longer forms of some tests
# make test-cluster   the workflow on a real Slurm, which the tests start on this machine (Debian or Ubuntu, as root)
PYTHON ?= python3
STUDY ?= brain_metastasis
SCALE ?= tiny
JOBS ?= 2
BIN := .venv/bin

.PHONY: setup demo test test-long test-cluster lint docs benchmarks

setup: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "hakken needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "no virtual environment could be made; on Debian: apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt -e '.[test]'
	@touch $@

# A killed run leaves its lock behind. Only one demo runs at a time, so a lock found here is a dead one's.
demo: export PATH := $(CURDIR)/$(BIN):$(PATH)
demo: setup
	@flock --nonblock --conflict-exit-code 99 .venv/.running sh -c '\
	  [ -z "$$(ls .snakemake/locks 2>/dev/null)" ] || snakemake --quiet all --unlock; \
	  snakemake --config study=$(STUDY) scale=$(SCALE)' \
	  || { status=$$?; [ $$status -ne 99 ] || echo "another \`make demo\` is running in this folder"; exit $$status; }

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow/rules
	$(BIN)/mypy

# Workflows start a Python for each job: with compiled modules it starts in half the time.
test test-long test-cluster: export PYTHONDONTWRITEBYTECODE :=
test: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadgroup -m "not slow"

test-long: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadgroup --hypothesis-profile=random

SLURM := slurmctld slurmd slurm-client slurm-wlm-basic-plugins munge

# What is missing is installed where that is possible; where it is not, the tests say why they are skipped.
test-cluster: setup
	@for program in slurmctld slurmd sbatch munged; do command -v $$program >/dev/null || missing=yes; done; \
	  [ -z "$$missing" ] || { [ "$$(id -u)" = 0 ] && apt-get update -qq && \
	    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(SLURM) >/dev/null; } || \
	  echo "Slurm could not be installed; on Debian or Ubuntu, as root: apt-get install --no-install-recommends $(SLURM)"
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/cluster

docs: setup
	$(BIN)/hakken schema --output docs/reference

benchmarks: setup
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt -e '.[benchmark]'
	$(BIN)/python benchmarks/patches.py
	$(BIN)/python benchmarks/loader.py
	$(BIN)/python benchmarks/start.py
	$(BIN)/python benchmarks/dense.py
	$(BIN)/python benchmarks/projection.py
	$(BIN)/python benchmarks/search.py
	$(BIN)/python benchmarks/search_warm_start.py
	$(BIN)/python benchmarks/evaluation.py
	$(BIN)/python benchmarks/similarity.py
	$(BIN)/python benchmarks/dry_run.py
