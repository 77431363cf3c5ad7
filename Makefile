# What people type: `make run`, `make test`, `make check`. Each needs nothing beforehand but a
# checkout, Python 3.11 or later and pip; each is quick when nothing has changed.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
PYTEST := $(BIN)/python -m pytest

MESSAGES := 200000
SEED := 1
PAIRS := 6
SECONDS_EACH := 10

# Each peer the tests speak to: command:package (Debian, Ubuntu).
PEERS := sipp:sip-tester baresip:baresip-core linphonec:linphone-cli rtpengine:rtpengine-daemon \
    ip:iproute2 nft:nftables setpriv:util-linux tmux:tmux tshark:tshark
APT := DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends

.PHONY: help run test check lint peers fuzz deep bench-micro bench-watchers bench-dashboard \
    bench-power-cut clean

help:  ## Say what can be made.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-16s %s\n", $$1, $$2 }' Makefile

run: $(VENV)/installed  ## Install into .venv and start Centrex.
	@exec $(BIN)/centrex

test: lint peers  ## Everything: format, lint, types, imports, all tests with real peers.
	@$(PYTEST)

check: lint  ## The gate: as `test`, without the slow tests and the real peers; on all cores.
	@$(PYTEST) -q -n auto -m "not slow and not peer"

lint: $(VENV)/tested
	@$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fuzz: $(VENV)/tested  ## Spoil 200,000 messages; MESSAGES=n and SEED=n for another run.
	@$(BIN)/python -m tests.fuzz.run --messages $(MESSAGES) --seed $(SEED)

deep: $(VENV)/tested  ## The property tests by night: 5,000 examples each.
	@$(PYTEST) --hypothesis-profile=deep --timeout=900 -m "not slow and not peer"

bench-watchers: $(VENV)/tested  ## 10,000 watched phones register anew in 30 s: CPU, NOTIFYs, memory.
	@$(BIN)/python -m tests.bench.watch_storm

bench-dashboard: $(VENV)/tested  ## Call set-up times with a dashboard open and without; PAIRS=n, SECONDS_EACH=n.
	@$(BIN)/python -m tests.bench.dashboard --pairs $(PAIRS) --seconds $(SECONDS_EACH)

bench-power-cut: $(VENV)/tested  ## The same over real sockets: a server, and 10,000 phones in another process.
	@$(BIN)/python -m tests.bench.power_cut

bench-micro: $(VENV)/tested  ## Microseconds per call, OPTIONS and REGISTER in the core; what relaying adds.
	@$(BIN)/python -m tests.bench.micro
	$(BIN)/python -m tests.bench.relayed

BPF := centrex/runtime/relay/ebpf/relay.bpf
BPF_FLAGS := -O2 -g0 -target bpf -mcpu=v3 -Wall -Wextra -Werror

bpf:  ## Build the kernel's part of the media relay anew; needs clang and the kernel's headers.
	clang $(BPF_FLAGS) -idirafter /usr/include/$$(gcc -print-multiarch) -c $(BPF).c -o $(BPF).o
	llvm-strip -g $(BPF).o 2>/dev/null || true
	clang --version | head -1 > $(BPF).built

clean:  ## Remove what was made here.
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	find . -maxdepth 2 -name '*.egg-info' -type d -prune -exec rm -rf {} +

# The virtual environment, with the first Python that will do: the system's, else the newest on PATH.
# One whose Python has gone is made anew.
$(BIN)/python:
	@usable() {
	    command -v "$$1" >/dev/null &&
	    "$$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
	}
	find_python() {
	    for python in /usr/bin/python3 python3.14 python3.13 python3.12 python3.11 python3; do
	        if usable "$$python"; then echo "$$python"; return; fi
	    done
	}
	# root gets the module that Debian keeps apart; its Python is the faster one, and the one tested
	if ! usable /usr/bin/python3 && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	    apt-get -q -y update && $(APT) install python3-venv || true
	fi
	python=$$(find_python)
	if [ -z "$$python" ]; then
	    echo "Centrex needs Python 3.11 or later with its venv module." >&2
	    echo "On Debian or Ubuntu: sudo apt-get install python3-venv" >&2
	    exit 1
	fi
	rm -rf $(VENV)
	"$$python" -m venv $(VENV)
	echo "made $(VENV) with $$($(BIN)/python --version)"

$(VENV)/installed: pyproject.toml | $(BIN)/python
	@echo "installing Centrex into $(VENV)"
	$(PIP) install -e .
	touch $@

$(VENV)/tested: pyproject.toml | $(BIN)/python
	@echo "installing Centrex and its test tools into $(VENV)"
	$(PIP) install -e '.[test]'
	touch $@ $(VENV)/installed

# Installs the missing peers when it may; otherwise says what will be skipped.
peers:
	@missing=() packages=()
	for peer in $(PEERS); do
	    if ! command -v "$${peer%%:*}" >/dev/null; then
	        missing+=("$${peer%%:*}") packages+=("$${peer##*:}")
	    fi
	done
	if [ $${#missing[@]} = 0 ]; then exit 0; fi
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	    echo "installing $${packages[*]}"
	    if apt-get -q -y update && $(APT) install "$${packages[@]}"; then exit 0; fi
	    echo "could not install $${packages[*]}" >&2
	fi
	echo "tests against $${missing[*]} will be skipped: not installed" >&2
	echo "to have them, as root: apt-get install $${packages[*]}" >&2
