# make lab    opens JupyterLab on the first page       make test   ruff, pytest and nbval over every page
# make pages  executes and normalises the pages        make bench  how long a distillation step takes
VENV := .venv
PYTHON ?= python3
PIP := $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check
# This setting makes every start of TensorFlow compile thousands of files again.
unexport PYTHONDONTWRITEBYTECODE
export KERAS_BACKEND := tensorflow
NBVAL := --nbval --nbval-current-env --nbval-cell-timeout=900 --nbval-kernel-startup-timeout=600

.PHONY: lab test pages bench
lab: $(VENV)/lab.stamp
	$(VENV)/bin/jupyter lab $(firstword $(wildcard notebooks/01_*.ipynb)) $(LAB)

test: $(VENV)/test.stamp
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/python -m pytest
	$(VENV)/bin/python -m pytest $(NBVAL) notebooks

pages: $(VENV)/test.stamp
	$(VENV)/bin/python tests/pages.py

bench: $(VENV)/test.stamp
	$(VENV)/bin/python tests/bench.py

# Out of date is: older than pyproject.toml, or without a Python that runs.
ifneq ($(shell $(VENV)/bin/python -c "print('runs')" 2>/dev/null),runs)
.PHONY: $(VENV)/lab.stamp $(VENV)/test.stamp
endif
$(VENV)/lab.stamp: EXTRAS := lab
$(VENV)/test.stamp: EXTRAS := lab,test
$(VENV)/%.stamp: pyproject.toml
	@$(PYTHON) -c "import sys; sys.exit(None if (3, 10) <= sys.version_info[:2] < (3, 14) else 'distill_edu needs Python 3.10 to 3.13, but $(PYTHON) is ' + sys.version.split()[0] + '. Name another one: make $(MAKECMDGOALS) PYTHON=python3.12')"
	@echo "Setting up $(VENV): about 2 GB, several minutes the first time."
	@if command -v uv >/dev/null; then \
	    uv venv --quiet --allow-existing --python "$(PYTHON)" $(VENV) && \
	    uv pip install --quiet --compile-bytecode --python $(VENV) -e ".[$(EXTRAS)]"; \
	else \
	    { $(VENV)/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV) \
	      || { echo "Python's venv is missing: install it (Debian: apt install python3-venv) and try again."; exit 1; }; } && \
	    $(PIP) -e ".[$(EXTRAS)]"; \
	fi
	@touch $@
