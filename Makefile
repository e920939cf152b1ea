# Every command of this project. It needs git, make and python3 >= 3.11; the rest is brought into .venv and into
# ${XDG_CACHE_HOME:-~/.cache}/prewarm. Nothing is installed, started or changed on the machine.

PYTHON ?= python3
VENV   := .venv
RUN    := $(VENV)/bin/python
STAMP  := $(VENV)/.prewarm-stamp
# What a new environment depends on: the locks, the package's metadata, and what its stubs are generated from.
INPUTS := requirements/dev.txt pyproject.toml hatch_build.py $(wildcard protos/*.proto)
# Each is a module of bench/, with _ for -.
BENCHES := engine-cold engine-many resume progress eta memory-run agent-latency agent-writes agent-memory agent-idle \
           image-start job-latency list-20 job-1000 nodes-500 join-300 night coordinator-growth status pod-start gate \
           job-over-pods pod-memory

# How many test files run at once. Each has its servers to itself, and waits for them most of the time: three keep two
# cores busy.
JOBS ?= 3

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help setup lab image check lint test root demo cluster cluster-push cluster-down manifest bench lock clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-zA-Z%-]+:.*## / {sub("%", "NAME", $$1); printf "  make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: $(STAMP)  ## make .venv from the hash-pinned locks, with the project in it and its stubs generated

$(STAMP): $(INPUTS)
	@$(PYTHON) -m tests.servers.setup.venv $(VENV)
	@touch $@

lab: $(STAMP)  ## bring the servers that the tests use: containerds, a registry, Kubernetes (Go builds some, once)
	@$(RUN) -m tests.servers.binaries

image: $(STAMP)  ## build the node image into the cache, once a content; needs root
	@$(RUN) -m tests.servers.image

check: lint  ## the fast part: lint, format, types, import contracts, unit tests
	$(RUN) -m pytest tests/unit

test: lint lab image  ## check and everything else, JOBS files at a time; the lab needs root
	$(RUN) -m pytest --numprocesses=$(JOBS) --dist=loadfile --no-loadscope-reorder

lint: $(STAMP)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(VENV)/bin/lint-imports

# Before what takes minutes.
root:
	@test "$$(id -u)" = 0 || { echo "make $(MAKECMDGOALS) mounts disks and starts a containerd, which needs root."; exit 1; }

demo: root $(STAMP)  ## show a sample job pull its image, and the new one after its tag has moved; needs root
	@$(RUN) -m tests.servers.demo

cluster: root $(STAMP) lab image  ## a control plane and three real nodes on this machine, with Prewarm on them; needs root
	@$(RUN) -m tests.servers.cluster.command up

cluster-push: $(STAMP)  ## build IMAGE (base:latest) anew in that cluster's registry, so that its tag moves
	@$(RUN) -m tests.servers.cluster.push $(IMAGE)

cluster-down: $(STAMP)  ## take that cluster away
	@$(RUN) -m tests.servers.cluster.command down

manifest: $(STAMP)  ## render daemonset.yaml from deploy/base
	@$(RUN) -m deploy.render

bench: $(STAMP) lab image  ## measure every figure that the docs state; fails at the end where a bound is exceeded
	@failed=; for name in $(BENCHES); do $(MAKE) bench-$$name || failed="$$failed $$name"; done; \
	test -z "$$failed" || { echo "failed:$$failed"; exit 1; }

bench-%: $(STAMP) lab image  ## measure one figure, such as bench-engine-cold (bench/README.md has them all)
	@$(RUN) -m bench.$(subst -,_,$*)

lock: $(STAMP)  ## resolve requirements/*.txt anew from pyproject.toml
	@$(RUN) -m tests.servers.setup.lock

clean:  ## remove .venv and what was generated in the checkout; the cache stays
	rm -rf $(VENV) daemon/runtime/wire dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
