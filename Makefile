# make lab    opens JupyterLab on the first page       make test   ruff, pytest and nbval over every page
# make quick  ruff and the unit tests that need no page, no browser and no other process: a minute
# make pages  executes and normalises the pages        make bench  how long a distillation step takes
# make site   builds the pages as a web site in build/site: every slider works there without a kernel
# make check_site opens every page of it in a browser
# make mutate changes the package in one place at a time and reports what no test notices (hours; TRIES=15: of each module fifteen)
VENV := .venv
PYTHON ?= python3
# This setting makes every start of TensorFlow compile thousands of files again.
unexport PYTHONDONTWRITEBYTECODE
export KERAS_BACKEND := tensorflow
export TF_CPP_MIN_LOG_LEVEL := 3
# So many processes test side by side: each needs a core and 2 GB.
JOBS ?= 2
NBVAL := --nbval --nbval-current-env --nbval-cell-timeout=900 --nbval-kernel-startup-timeout=600

# The sliders answer about twice as fast: see distill_edu/pages/shared/lab.py.
QUICK := --ServerApp.kernel_websocket_connection_class=distill_edu.pages.shared.lab.WithoutDelay

.PHONY: lab test quick ruff pages site check_site bench mutate FORCE
lab: $(VENV)/lab.stamp
	$(VENV)/bin/jupyter lab $(firstword $(wildcard notebooks/01_*.ipynb)) $(QUICK) $(LAB)

# What the pages' sweeps keep on disk stays with this checkout.
test pages site: export DISTILL_EDU_CACHE := $(CURDIR)/$(VENV)/cache
test: ruff
	$(VENV)/bin/python -m pytest -n $(JOBS) --dist worksteal --durations=15
	$(VENV)/bin/python -m pytest -n $(JOBS) --dist loadfile $(NBVAL) notebooks

quick: ruff
	$(VENV)/bin/python -m pytest -n $(JOBS) --dist worksteal -m "not browser and not slow" --durations=5

ruff: $(VENV)/test.stamp
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

pages: $(VENV)/test.stamp
	$(VENV)/bin/python tools/pages.py

# A page is executed again when it, its module, or what all pages share has changed.
.SECONDEXPANSION:
OWN := $(shell ls notebooks | sed -n 's|^.._\(.*\)\.ipynb$$|distill_edu/pages/\1.py|p')
SHARED := $(wildcard distill_edu/*.py distill_edu/_inside/*.py distill_edu/pages/shared/*.py) $(filter-out $(OWN),$(wildcard distill_edu/pages/*.py))
SHARED += docs/frames.py docs/recording.py tools/website.py tools/pages.py
build/pages/%.ipynb: notebooks/%.ipynb $(SHARED) $$(wildcard distill_edu/pages/$$(shell echo $$* | cut -c4-).py) | $(VENV)/test.stamp
	PYTHONPATH=. $(VENV)/bin/python -m tools.website $<

# In English, and in the languages that docs/locale has; `make site LANGUAGE=zh_CN` builds that one alone.
LANGUAGES := en $(notdir $(wildcard docs/locale/*))
ifeq ($(origin LANGUAGE),command line)
LANGUAGES := $(LANGUAGE)
endif
SPHINX := $(VENV)/bin/python -m sphinx -q -E -a -W --keep-going -c docs build/pages
site: $(patsubst notebooks/%,build/pages/%,$(wildcard notebooks/*.ipynb))
	PYTHONPATH=. $(VENV)/bin/python -m tools.website
	$(foreach one,$(LANGUAGES),$(SPHINX) build/site$(patsubst %,/%,$(filter-out en,$(one))) -d build/doctrees/$(one) -D language=$(one) &&) true
	rm -rf build/site/jupyter_execute  # MyST-NB's copies of the notebooks

check_site: site
	$(VENV)/bin/python -m pytest tests/built_site.py

bench: $(VENV)/test.stamp
	$(VENV)/bin/python tools/bench.py

mutate: $(VENV)/test.stamp
	$(VENV)/bin/python tools/mutate.py

# Out of date is: older than pyproject.toml, or without a Python of the right age that runs.
SUITABLE := import sys; sys.exit(None if (3, 11) <= sys.version_info[:2] < (3, 14) else \
    "distill_edu needs Python 3.11 to 3.13, but this is " + sys.version.split()[0] + ". Name another: make $(MAKECMDGOALS) PYTHON=python3.12")
ifneq ($(shell ($(VENV)/bin/python -c '$(SUITABLE)') >/dev/null 2>&1 || echo stale),)
STALE := FORCE
endif
FORCE:
NO_NETWORK := resolve|resolution|retries|connection|unreachable|timed out|dns error
$(VENV)/lab.stamp: EXTRAS := lab
$(VENV)/test.stamp: EXTRAS := lab,test,site
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
