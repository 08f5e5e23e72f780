# make lab       opens JupyterLab on the first page
# make quick     ruff, import-linter, vulture, the unit tests and the examples in docstrings: three minutes
# make test      quick, the tests of the pages' texts, nbval over every page without a training, three pages in a browser:
#                what a push must pass: eleven minutes on two cores
# make test_all  everything, with no kept result, and the pages once more with the kept results alone and oneDNN off: for a night
# make pages     executes and normalises the pages
# make links     writes the links that follow from the repository's address in pyproject.toml (nothing is executed)
# make class     writes the pages for a class in build/class: without answers, and for nbgrader
# make site      builds the pages as a web site in build/site, where every slider works without a kernel
# make check_site  opens every page of it in a browser
# make oldest, make newest  the tests with the floors of pyproject.toml, with the newest releases (these need uv)
# make retrain   trains again what the pages show, prints each line that moved (PAGES="notebooks/05_does_it_help.ipynb": one)
# make golden    checks that the package trains as before, so that kept results count for the code as it is now
# make bench     how long a distillation step takes
# make mutate    changes the package in one place at a time and reports what no test notices (hours; TRIES=15: of each module fifteen)
VENV := .venv
PYTHON ?= python3
# This setting makes every start of TensorFlow compile thousands of files again.
unexport PYTHONDONTWRITEBYTECODE
export KERAS_BACKEND := tensorflow
export TF_CPP_MIN_LOG_LEVEL := 3
# So many processes test side by side: each needs a core and 2 GB.
JOBS ?= 2
BIN := $(VENV)/bin
PYTEST = $(BIN)/python -m pytest -n $(JOBS) --dist worksteal
NBVAL = $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --nbval --nbval-current-env --nbval-cell-timeout=900 \
    --nbval-kernel-startup-timeout=600 --nbval-sanitize-with tests/nbval.cfg -p tests.kept_outputs notebooks

.PHONY: lab quick test test_all lint pages links class site check_site oldest newest unit retrain golden bench mutate FORCE
# The sliders answer about twice as fast: see distill_edu/pages/shared/lab.py.
lab: $(VENV)/lab.stamp
	$(BIN)/jupyter lab $(firstword $(wildcard notebooks/01_*.ipynb)) \
	    --ServerApp.kernel_websocket_connection_class=distill_edu.pages.shared.lab.WithoutDelay $(LAB)

# What the pages' trainings keep on disk stays with this checkout.
quick test pages site unit: export DISTILL_EDU_CACHE := $(CURDIR)/$(VENV)/cache
quick: lint
	$(PYTEST) -m "not (browser or slow or nightly)" --durations=5

# A page that would train what is not among its kept results fails.
test: quick
	$(PYTEST) -m "(browser or slow) and not nightly" --durations=15
	DISTILL_EDU_KEPT=only $(NBVAL)

# The second run over the pages: a kept result that is missed where TensorFlow computes other last digits fails. Its
# cache is a folder of its own, or what the first run trained would hide the miss.
COLD := $(CURDIR)/build/cold
test_all: export DISTILL_EDU_CACHE := $(COLD)
test_all: export DISTILL_EDU_KEPT := none
test_all: lint $(VENV)/class.stamp
	rm -rf $(COLD)
	$(PYTEST) --durations=40
	$(NBVAL)
	TF_ENABLE_ONEDNN_OPTS=0 DISTILL_EDU_KEPT=only DISTILL_EDU_CACHE=$(COLD)/without_onednn $(NBVAL)
	$(MAKE) check_site DISTILL_EDU_CACHE=$(COLD)

lint: $(VENV)/test.stamp build/cells/stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo --no-cache
	$(BIN)/vulture

# The cells of the pages as Python, so that vulture sees what they use.
build/cells/stamp: $(wildcard notebooks/*.ipynb) | $(VENV)/test.stamp
	rm -rf build/cells  # a page that has gone uses nothing
	$(BIN)/jupyter nbconvert --log-level ERROR --to python --output-dir build/cells notebooks/*.ipynb
	touch $@

pages: $(VENV)/test.stamp
	PYTHONPATH=. $(BIN)/python tools/pages.py

links: $(VENV)/test.stamp
	PYTHONPATH=. $(BIN)/python tools/pages.py --links

class: $(VENV)/lab.stamp
	PYTHONPATH=. $(BIN)/python tools/class_kit.py

# A page is executed again when it, its module, or what all pages share has changed.
.SECONDEXPANSION:
SHARED := $(wildcard distill_edu/*.py distill_edu/_inside/*.py distill_edu/pages/shared/*.py)
SHARED += docs/frames.py docs/recording.py tools/website.py tools/pages.py tools/links.py
build/pages/%.ipynb: notebooks/%.ipynb $(SHARED) $$(wildcard distill_edu/pages/$$(shell echo $$* | cut -c4-).py) | $(VENV)/test.stamp
	PYTHONPATH=.:docs $(BIN)/python -m tools.website $<

# In English, and in the languages that docs/locale has; `make site LANGUAGE=zh_CN` builds that one alone.
LANGUAGES := en $(notdir $(wildcard docs/locale/*))
ifeq ($(origin LANGUAGE),command line)
LANGUAGES := $(LANGUAGE)
endif
SPHINX := $(BIN)/python -m sphinx -q -E -a -W --keep-going -c docs build/pages
site: $(patsubst notebooks/%,build/pages/%,$(wildcard notebooks/*.ipynb))
	PYTHONPATH=.:docs $(BIN)/python -m tools.website
	$(foreach one,$(LANGUAGES),$(SPHINX) build/site$(patsubst %,/%,$(filter-out en,$(one))) -d build/doctrees/$(one) -D language=$(one) &&) true
	rm -rf build/site/jupyter_execute build/site/notebooks  # MyST-NB's copies of the notebooks
	cp -r build/notebooks build/site/notebooks  # the pages, for "Download"

check_site: site
	SITE=build/site $(BIN)/python -m pytest tests/test_built_site.py

oldest: RESOLUTION := lowest-direct
newest: RESOLUTION := highest
oldest newest:
	uv venv --quiet --allow-existing --python "$(PYTHON)" .venv-$@
	uv pip install --quiet --compile-bytecode --python .venv-$@/bin/python --upgrade --resolution $(RESOLUTION) \
	    -e ".[lab,test,site]"
	$(MAKE) VENV=.venv-$@ unit

# For `make oldest` and `make newest`: without ruff, whose floor formats differently, and without JupyterLab, whose
# release 4 draws no widgets of ipywidgets 7.
unit:
	$(PYTEST) -m "not (browser or nightly)"
	$(NBVAL)

retrain: $(VENV)/test.stamp
	PYTHONPATH=. $(BIN)/python tools/retrain.py $(PAGES)

golden: $(VENV)/test.stamp
	PYTHONPATH=. $(BIN)/python tools/golden.py $(ACCEPT)

bench: $(VENV)/test.stamp
	$(BIN)/python tools/bench.py

mutate: $(VENV)/test.stamp
	$(BIN)/python tools/mutate.py

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
$(VENV)/class.stamp: EXTRAS := class
$(VENV)/%.stamp: pyproject.toml $(STALE)
	@$(PYTHON) -c '$(SUITABLE)'
	@echo "Setting up $(VENV): about 2 GB, several minutes the first time."
	@$(VENV)/bin/python -c '$(SUITABLE)' >/dev/null 2>&1 || find $(VENV) -mindepth 1 -maxdepth 1 ! -name cache -exec rm -rf {} + 2>/dev/null || true
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
