# make demo    train and test on the embedded data (tools/demo.py)
# make test    run the tests
# make lint    ruff, docstring coverage, types and spelling
# make ops     compile mmcv's operators; without, torchvision's serve
# make docs    the documentation as a site, in build/site
# make clean   remove build leftovers and caches, not .venv or work_dirs
#
# Each builds .venv first where it is missing; an interrupted installation goes
# on where it stopped. Variables: PYTHON (3.10 or newer), VENV, MAX_JOBS (for
# mmcv's compiler) and MMOCC_WHEELS (a folder of wheels to prefer).
PYTHON ?= python3
VENV ?= .venv
PY := $(VENV)/bin/python
# Python compiles what it imports, when it does: not all that pip installs.
PIP := $(PY) -m pip --disable-pip-version-check --no-input -q install \
	--no-compile -c requirements/tested.txt $(addprefix --find-links ,$(MMOCC_WHEELS))
# Without nvcc, mmcv's ops are built for the CPU, whatever the machine has.
NVCC := $(shell command -v nvcc)

.PHONY: demo test lint ops docs clean
.DELETE_ON_ERROR:

demo: $(VENV)/.installed
	@$(PY) tools/demo.py

# A process per core and one, since some tests wait for processes of their own,
# up to four; each has one thread: two that share cores by threads wait for
# each other most of the time.
WORKERS := $(shell cores=$$(nproc 2>/dev/null || echo 2); \
	if [ $$cores -lt 4 ]; then expr $$cores + 1; else echo 4; fi)
test: $(VENV)/.installed
	OMP_NUM_THREADS=1 $(PY) -m pytest -n $(WORKERS) --dist loadfile

lint: $(VENV)/.installed
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m interrogate -c pyproject.toml $(wildcard mmocc tools benchmarks)
	$(PY) -m mypy
	$(PY) -m codespell_lib

# The compiled wheel has a cache of its own.
ops: $(VENV)/.installed
	@echo 'compiling mmcv (8 to 15 minutes on two cores; the wheel is kept)'
	@export MAX_JOBS=$${MAX_JOBS:-$$(nproc 2>/dev/null || echo 2)}; \
	$(if $(NVCC),,export CUDA_VISIBLE_DEVICES=;) \
	$(PIP) --cache-dir "$$($(PY) -m pip cache dir)/mmcv-ops" --no-deps \
		--no-build-isolation --force-reinstall onedl-mmcv
	@$(PY) tools/check_env.py | grep -x 'detection: ready (compiled)'

docs: $(VENV)/.installed
	$(PIP) -r requirements/docs.txt
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict

clean:
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache
	find . -path './.venv*' -prune -o -name __pycache__ \
		-prune -exec rm -rf {} +

# A stamp file in the environment for each step that is done.
$(VENV)/.created:
	@command -v $(PYTHON) >/dev/null || { echo "No $(PYTHON) found:" \
		"name a Python 3.10 or newer with PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 10) or sys.exit(\
		f"mmocc needs Python 3.10 or newer, $(PYTHON) is " \
		f"{sys.version.split()[0]}: name another with PYTHON=...")'
	@echo '[1/5] environment $(VENV) (seconds)'
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.torch: $(VENV)/.created requirements/build.txt requirements/tested.txt
	@echo '[2/5] torch and build tools (a download of up to 3 GB)'
	@$(PIP) -r requirements/build.txt torch torchvision
	@touch $@

# Built apart from torch, mmcv is pure Python. Such a wheel must not come from
# pip's cache when compiled operators are wanted, nor they when it is wanted.
$(VENV)/.mmcv: $(VENV)/.torch
	@echo '[3/5] mmcv in pure Python (half a minute)'
	@$(PIP) --no-cache-dir --no-deps onedl-mmcv
	@touch $@

$(VENV)/.hosts: $(VENV)/.mmcv requirements.txt $(wildcard requirements/*.txt)
	@echo '[4/5] mmpretrain, mmdet and the rest (1 to 2 minutes)'
	@$(PIP) -r requirements.txt
	@touch $@

$(VENV)/.installed: $(VENV)/.hosts setup.py pyproject.toml
	@echo '[5/5] mmocc, editable (seconds)'
	@$(PIP) --no-build-isolation --no-deps -e .
	@$(PY) tools/check_env.py --quiet
	@touch $@
