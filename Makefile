# make lab    opens JupyterLab on the first page       make test   ruff, pytest and nbval over every page
# make quick  ruff and the unit tests that need no page, no browser and no other process: a minute
# make pages  executes and normalises the pages        make bench  how long a distillation step takes
# make mutate changes the package in one place at a time and reports what no test notices (hours)
VENV := .venv
PYTHON ?= python3
# This setting makes every start of TensorFlow compile thousands of files again.
unexport PYTHONDONTWRITEBYTECODE
export KERAS_BACKEND := tensorflow
export TF_CPP_MIN_LOG_LEVEL := 3
# So many processes test side by side: each needs a core and 2 GB.
JOBS ?= 2
NBVAL := --nbval --nbval-current-env --nbval-cell-timeout=900 --nbval-kernel-startup-timeout=600

# The sliders answer about twice as fast: see distill_edu/lab.py.
QUICK := --ServerApp.kernel_websocket_connection_class=distill_edu.lab.WithoutDelay

.PHONY: lab test quick ruff pages bench mutate FORCE
lab: $(VENV)/lab.stamp
	$(VENV)/bin/jupyter lab $(firstword $(wildcard notebooks/01_*.ipynb)) $(QUICK) $(LAB)

# What the pages' sweeps keep on disk stays with this checkout.
test pages: export DISTILL_EDU_CACHE := $(CURDIR)/$(VENV)/cache
test: ruff
	$(VENV)/bin/python -m pytest -n $(JOBS) --dist worksteal --durations=15
	$(VENV)/bin/python -m pytest -n $(JOBS) --dist loadfile $(NBVAL) notebooks

quick: ruff
	$(VENV)/bin/python -m pytest -n $(JOBS) --dist worksteal -m "not browser and not slow" --durations=5

ruff: $(VENV)/test.stamp
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

pages: $(VENV)/test.stamp
	$(VENV)/bin/python tests/tools/pages.py

bench: $(VENV)/test.stamp
	$(VENV)/bin/python tests/tools/bench.py

mutate: $(VENV)/test.stamp
	$(VENV)/bin/python tests/tools/mutate.py

# Out of date is: older than pyproject.toml, or without a Python of the right age that runs.
SUITABLE := import sys; sys.exit(None if (3, 11) <= sys.version_info[:2] < (3, 14) else \
    "distill_edu needs Python 3.11 to 3.13, but this is " + sys.version.split()[0] + ". Name another: make $(MAKECMDGOALS) PYTHON=python3.12")
ifneq ($(shell ($(VENV)/bin/python -c '$(SUITABLE)') >/dev/null 2>&1 || echo stale),)
STALE := FORCE
endif
FORCE:
NO_NETWORK := resolve|resolution|retries|connection|unreachable|timed out|dns error
$(VENV)/lab.stamp: EXTRAS := lab
$(VENV)/test.stamp: EXTRAS := lab,test
$(VENV)/%.stamp: pyproject.toml $(STALE)
	@$(PYTHON) -c '$(SUITABLE)'
	@echo "Setting up $(VENV): about 2 GB, several minutes the first time."
	@$(VENV)/bin/python -c '$(SUITABLE)' >/dev/null 2>&1 || rm -rf $(VENV)
	@mkdir -p $(VENV); if command -v uv >/dev/null; then \
	    { test -x $(VENV)/bin/python || uv venv --quiet --allow-existing --python "$(PYTHON)" $(VENV); } && \
	    uv pip install --quiet --compile-bytecode --python $(VENV)/bin/python -e ".[$(EXTRAS)]" 2>$(VENV)/install.log; \
	else \
	    { $(VENV)/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV) \
	      || { echo "Python cannot make a virtual environment: install its venv (Debian: apt install python3-venv)."; exit 1; }; } && \
	    $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -e ".[$(EXTRAS)]" 2>$(VENV)/install.log; \
	fi || { cat $(VENV)/install.log >&2; echo "The packages could not be installed."; \
	    if grep -qiE "$(NO_NETWORK)" $(VENV)/install.log; then \
	        echo "This step needs a network and 2 GB of disk; then run make again."; \
	    else echo "The installer's own words, above, say why."; fi; exit 1; }
	@touch $@; test $< -nt $@ && touch -r $< $@ || true  # also where the clock was set back
