# make demo   a simulated study from recordings to report      make docs    the documentation as HTML
# make test   the tests; make test-slow  the slow calibrations   make bench   the decoders' speed, next to others
# make lint   formatting, lint, types                          make profile wall time of the demo's jobs
# make clean  remove what make demo and make docs wrote       make calibrate  false alarms and power (an hour)
#
# Each target sets up .venv once: Python >= 3.11 ($(PYTHON)), the pinned packages of requirements/constraints.txt.
# PYTHON=python3.12 make demo      another interpreter
# CORES=8 make demo                more jobs, or tests, at once
# BENCH_OPTIONS=--quick make bench  a minute, writes nothing
# make bench-align                  the speed and memory of alignment, next to others
# make bench-networks               the speed of training, next to PyTorch and NumPy (installs torch beside, not into, .venv)

PYTHON ?= python3
CORES ?= 2
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
EXTRAS := fast,zarr,remote,dandi,networks,slurm,test,lint,docs
BENCH ?= .venv-bench
BENCH_NETWORKS ?= .venv-bench-networks

.PHONY: help setup demo test test-slow lint docs bench bench-align bench-networks profile calibrate clean
.SUFFIXES:

help:
	@sed -n '1,/^$$/s/^# \{0,1\}//p' Makefile

setup: $(STAMP)

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null 2>&1 || { \
	  echo "error: no $(PYTHON) here; install Python >= 3.11 or name one: PYTHON=python3.12 make ..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "error: $$($(PYTHON) --version) is too old, piriform needs Python >= 3.11: PYTHON=python3.12 make ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "error: $(PYTHON) cannot make virtual environments; on Debian or Ubuntu: sudo apt install python3-venv" >&2; exit 1; }
	@echo "== making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)

$(STAMP): pyproject.toml requirements/constraints.txt | $(BIN)/python
	@echo "== installing piriform and its packages into $(VENV) (once; some minutes without uv)"
	@{ $(BIN)/python -m pip install --quiet --disable-pip-version-check uv && \
	  $(BIN)/uv pip install --quiet --python $(BIN)/python -c requirements/constraints.txt -e '.[$(EXTRAS)]'; } || { \
	  echo "== uv did not do it, going on with pip" && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements/constraints.txt -e '.[$(EXTRAS)]'; }
	@touch $@

demo: $(STAMP)
	@echo "== analysing the simulated study of config/config.yaml with $(CORES) cores"
	@$(BIN)/piriform run data/demo --config config/config.yaml --cores $(CORES)

test: $(STAMP)
	@echo "== running the tests"
	@$(BIN)/python -m pytest -n $(CORES) --dist loadfile

test-slow: $(STAMP)
	@echo "== running the slow scientific calibrations"
	@$(BIN)/python -m pytest -m slow

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/snakefmt --check workflow
	$(BIN)/mypy

docs: $(STAMP)
	@$(BIN)/sphinx-build -W -q -b html docs docs/_build/html
	@echo "docs: docs/_build/html/index.html"

# decodanda is under the GPL: it is measured in an environment of its own and is no dependency of piriform
$(BENCH)/.installed: pyproject.toml requirements/constraints.txt benchmarks/requirements.txt | $(BIN)/python
	@echo "== installing piriform and what it is measured against into $(BENCH) (once)"
	@test -x $(BENCH)/bin/python || $(BIN)/python -m venv $(BENCH)
	@$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check -c requirements/constraints.txt \
	  -e '.[fast]' -r benchmarks/requirements.txt
	@touch $@

# every library is measured with the fastest kernels that OpenBLAS has for this processor
bench: $(BENCH)/.installed
	@env -u OPENBLAS_CORETYPE $(BENCH)/bin/python -m benchmarks.engine $(BENCH_OPTIONS)

bench-align: $(BENCH)/.installed
	@env -u OPENBLAS_CORETYPE $(BENCH)/bin/python -m benchmarks.alignment $(BENCH_OPTIONS)

$(BENCH_NETWORKS)/.installed: pyproject.toml requirements/constraints.txt benchmarks/requirements_networks.txt | $(BIN)/python
	@echo "== installing piriform and torch into $(BENCH_NETWORKS) (once)"
	@test -x $(BENCH_NETWORKS)/bin/python || $(BIN)/python -m venv $(BENCH_NETWORKS)
	@$(BENCH_NETWORKS)/bin/python -m pip install --quiet --disable-pip-version-check -c requirements/constraints.txt \
	  -e '.[networks]' -r benchmarks/requirements_networks.txt
	@touch $@

bench-networks: $(BENCH_NETWORKS)/.installed
	@env -u OPENBLAS_CORETYPE $(BENCH_NETWORKS)/bin/python -m benchmarks.networks $(BENCH_OPTIONS)

profile: demo
	@echo "== wall time of each job, s"
	@for job in results/demo/benchmarks/*.tsv; do \
	  printf '%8s  %s\n' "$$(sed -n 2p $$job | cut -f1)" "$$(basename $$job .tsv)"; \
	done | sort -rn

calibrate: $(STAMP)
	@$(BIN)/piriform calibrate --cores $(CORES)
	@$(BIN)/python -m benchmarks.calibration results/calibration

clean:
	rm -rf results/demo data/demo docs/_build
