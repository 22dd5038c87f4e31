# `make run` shows the whole job, `make test` checks everything; both set up what is missing first.

PYTHON ?= python3
export PYTHON
BIN := .venv/bin
STAMP := .venv/.installed-from-lock
PACKAGES := installer/system-packages
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip --quiet --no-input

.PHONY: help run test check setup packages-to-run packages-to-test corpus vm bench screens lock clean deb deb-test

help:
	@echo "make run      the whole job, before your eyes (without a display: in this terminal)"
	@echo "make test     style, types and tests"
	@echo "make check    the same, without looking for system packages first"
	@echo "make corpus   only the tests that read ../shared/corpus"
	@echo "make vm       drives and sticks on a real kernel, where a virtual kiosk PC is (tests/vm)"
	@echo "make deb      the Debian package, for this machine's Debian, into dist/"
	@echo "make deb-test builds it twice, installs it on a clean Debian, upgrades, purges (root, slow)"
	@echo "make bench    the measurements (see bench/)"
	@echo "make screens  a picture of every screen, into build/screens/"
	@echo "make lock     resolve requirements.lock anew from pyproject.toml"
	@echo "make clean    remove everything that was made here"

run: packages-to-run $(STAMP)
	@$(BIN)/kiosk demo $(ARGS)

test: packages-to-test check

check: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@QT_QPA_PLATFORM=offscreen $(BIN)/pytest -n 2 --dist worksteal $(ARGS)

setup: $(STAMP)
	@:

# Hash-pinned, then the project itself without a second look at any index.
$(STAMP): pyproject.toml requirements.lock
	@$(PACKAGES) python
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version)'
	@echo "Setting up .venv (the first time this takes a minute or two)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

# Without a display nothing is drawn, so nobody is held up by libraries for drawing.
packages-to-run:
	@$(PACKAGES) python screen || { test -z "$$DISPLAY$$WAYLAND_DISPLAY" && $(PACKAGES) python && \
	  echo "There is no display here: going on without them."; }

# In CI a missing peer fails; elsewhere its tests are skipped and say so.
packages-to-test:
	@$(PACKAGES) python screen peers || { test -z "$$CI" && $(PACKAGES) python screen 2>/dev/null && \
	  echo "Going on without them: the tests that need them are skipped."; }

corpus: $(STAMP)
	@QT_QPA_PLATFORM=offscreen $(BIN)/pytest -m corpus $(ARGS)

vm: $(STAMP)
	@$(BIN)/pytest tests/vm/journey.py -x $(ARGS)

# Debian's own Python: the environment in the package belongs to it.
deb:
	@test -x /usr/bin/python3 && /usr/bin/python3 -c 'import ensurepip' || { \
	  echo "Please run this once: sudo apt-get install python3-venv"; exit 3; }
	@/usr/bin/python3 installer/deb/build.py $(ARGS)

deb-test: $(STAMP)
	@$(BIN)/pytest tests/installer/journey.py -x $(ARGS)

bench: $(STAMP)
	@for each in $$(ls bench/*.py); do $(BIN)/python -m bench.$$(basename $$each .py) || exit 1; done

screens: $(STAMP)
	@QT_QPA_PLATFORM=offscreen $(BIN)/pytest tests/ui/test_pictures.py $(ARGS)
	@echo "build/screens/index.html shows them all."

# pip-tools in an environment of its own; the lock names no index and holds for Python 3.11-3.13.
lock:
	@test -x build/lock/bin/pip-compile || { $(PYTHON) -m venv build/lock && build/lock/bin/pip install -q pip-tools; }
	@build/lock/bin/pip-compile --quiet --upgrade --generate-hashes --allow-unsafe --strip-extras \
	  --all-extras --build-deps-for editable --no-header \
	  --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options \
	  --output-file requirements.lock pyproject.toml

clean:
	@rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .hypothesis
