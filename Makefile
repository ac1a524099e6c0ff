# Two commands do all the set-up: `make run` shows a real search, `make test` passes the tests.
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest
AZURITE := .azurite/node_modules/.bin/azurite-blob
BLASTWEB := .blastweb/bin/blastweb
FIGURES := tests/benchmarks/figures.json
# On the disk of this folder: /tmp may be memory, where a flush costs nothing, or crowded, where each new file costs half a millisecond.
BENCH := $(CURDIR)/.bench

.PHONY: clients help run demo test hammer schedules slow versions check floor pythons audit table page browser cluster crash storm faults bench bench-smoke bench-cluster load system install dev clean

help: ## list the commands
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

run: system install ## install what is missing, start the daemon, show a first search, keep serving
	@sh config/demo/demo.sh

demo: system install ## the same, then stop
	@sh config/demo/demo.sh --once

test: system dev check ## lint, types, layers, then the tests (installs BioPerl's RemoteBlast, which one of them runs)
	@sh config/system.sh libbio-tools-run-remoteblast-perl
	$(PYTEST) -n 4 --dist worksteal -m "not slow"

hammer: system dev ## `make test` HAMMER_ROUNDS times (10) with both cores busy and every flush slowed; HAMMER are more flags
	@sh config/system.sh libbio-tools-run-remoteblast-perl gcc
	$(BIN)/python -m tests.hammer $(if $(HAMMER_ROUNDS),--rounds $(HAMMER_ROUNDS)) $(HAMMER) -- -n 4 --dist worksteal -m "not slow"

SCHEDULES ?= 1 5000
schedules: system dev ## live 5,000 schedules of virtual time; SCHEDULES="FIRST COUNT [--kind K] [--bold] [--trace]" says others (tests/schedules/README.md)
	$(BIN)/python -m tests.schedules $(SCHEDULES) --jobs 2

slow: system dev ## tests that take longer: broken disks and stores, crashes, large files, restore
	$(PYTEST) -n 2 --dist worksteal -m slow

versions: system dev ## tests that touch BLAST+ with that of Debian 13, and every program in every format with the newest of Debian
	@bash config/other-blast.sh .blast/trixie trixie
	PATH=$(CURDIR)/.blast/trixie/bin:$$PATH $(PYTEST) -n 2 --dist worksteal -m "blast and not slow"
	@bash config/other-blast.sh .blast/sid sid
	PATH=$(CURDIR)/.blast/sid/bin:$$PATH $(PYTEST) -n 2 --dist worksteal -m formats

check: dev ## lint, types, layers, repeated blocks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pylint --disable=all --enable=duplicate-code --min-similarity-lines=10 --ignore-imports=y --ignore-signatures=y --score=n blastd

floor: system ## the unit and integration tests with the lowest versions that pyproject.toml allows, in an environment of its own
	@sh config/venv.sh .floor
	@.floor/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.5'
	.floor/bin/uv pip compile --quiet --python .floor/bin/python --resolution lowest-direct pyproject.toml --output-file .floor/lowest.txt
	.floor/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]' --constraint .floor/lowest.txt
	.floor/bin/python -m pytest -n 2 --dist worksteal -m "not slow" $(FLOOR)

FLOOR ?= tests/unit tests/integration
PYTHONS ?= 3.12 3.13
pythons: system ## the unit tests with other Pythons, each in an environment of its own (PYTHONS="3.12 3.13")
	@for version in $(PYTHONS); do sh config/venv.sh .python$$version $$version && \
		.python$$version/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]' && \
		.python$$version/bin/python -m pytest -n 2 --dist worksteal -m "not slow" $(FLOOR) || exit 1; done

audit: dev ## look for known flaws in what is installed (asks a service on the network); AUDIT are more flags of pip-audit
	$(BIN)/python -m pip install --quiet 'pip-audit>=2.7'
	$(BIN)/python -m pip freeze --exclude-editable > $(VENV)/audited.txt
	$(BIN)/python -m pip_audit --strict --disable-pip --no-deps $(AUDIT) -r $(VENV)/audited.txt

page: tests/page/node_modules/.package-lock.json ## types (TypeScript's checker over JSDoc), lint, format and unit tests of the pages' code (needs node and npm)
	npm --prefix tests/page run --silent check

browser: dev ## stories in a real browser (installs chromium and nginx if they are missing)
	@sh config/system.sh chromium nginx
	$(PYTEST) -n 2 --dist loadfile tests/browser

clients: system dev ## real clients of others, from their registries (kept in .museum), against a real daemon; generated ones; linters
	@sh config/museum.sh
	$(PYTEST) tests/clients

CLUSTER ?= -m "not slow"
cluster: dev $(AZURITE) ## tests on a real cluster; tests/cluster/parts.py says which variables name it; CLUSTER= runs all
	BLASTD_TEST_AZURITE=$${BLASTD_TEST_AZURITE:-$(CURDIR)/$(AZURITE)} $(PYTEST) -o timeout=180 $(CLUSTER) tests/cluster

crash: system dev $(if $(CRASH_CLUSTER),$(AZURITE)) ## kill -9 at every named and at random moments of a load; CRASH_ROUNDS, CRASH_SEED, CRASH_MOMENTS, CRASH_CLUSTER=1
	BLASTD_TEST_AZURITE=$${BLASTD_TEST_AZURITE:-$(CURDIR)/$(AZURITE)} $(BIN)/python -m tests.crash.campaign \
		$(if $(CRASH_CLUSTER),--cluster) $(if $(CRASH_ROUNDS),--rounds $(CRASH_ROUNDS)) $(if $(CRASH_SEED),--seed $(CRASH_SEED)) $(if $(CRASH_MOMENTS),--moments $(CRASH_MOMENTS))

storm: system dev ## crowds of searches on every surface, kill -9, SIGSTOP, rebuilt databases, a full disk; STORM_SECONDS (300), STORM_SEED
	$(BIN)/python -m tests.storm --disk $(if $(STORM_SECONDS),--seconds $(STORM_SECONDS)) $(if $(STORM_SEED),--seed $(STORM_SEED))

faults: system dev ## full and read-only disk, locked and damaged store, stopped daemon, clock; FAULT_SEED, FAULT_ROUNDS, FAULT_SECONDS, FAULTS
	FAULT_SECONDS=$${FAULT_SECONDS:-60} FAULT_ROUNDS=$${FAULT_ROUNDS:-20} $(PYTEST) -o timeout=900 tests/acceptance -k "S06 and ($${FAULTS:-test})"

bench: system dev $(BLASTWEB) ## measure beside bare BLAST+ and blastweb, and under load; write docs/numbers.md; BENCH_DATA: folder of the benchmark set
	@sh config/system.sh chromium
	@mkdir -p $(BENCH)
	TMPDIR=$(BENCH) $(BIN)/python -m tests.benchmarks.local --data $(BENCH_DATA) --blastweb $(BLASTWEB) --json $(FIGURES)
	TMPDIR=$(BENCH) $(BIN)/python -m tests.benchmarks.pages --json $(FIGURES)
	TMPDIR=$(BENCH) $(BIN)/python -m tests.benchmarks.load --json $(FIGURES) $(LOAD)
	$(BIN)/python -m tests.benchmarks.table

bench-smoke: system dev ## the same on small made-up data: figures say nothing, but what breaks fails
	$(BIN)/python -m tests.benchmarks.local --small

bench-cluster: dev $(AZURITE) ## measure against kubectl on a real cluster (variables as for `make cluster`), write docs/numbers.md
	BLASTD_TEST_AZURITE=$${BLASTD_TEST_AZURITE:-$(CURDIR)/$(AZURITE)} $(BIN)/python -m tests.benchmarks.cluster --json $(FIGURES)
	$(BIN)/python -m tests.benchmarks.table

load: system dev ## event listeners, parallel submits, 100,000 rows, 1,000 active, 1 GB result, 200 MB query; LOAD are more flags
	$(BIN)/python -m tests.benchmarks.load $(LOAD)

table: dev ## write the table of acceptance ids of docs/acceptance.md, and say which have no test
	@$(BIN)/python -m tests.acceptance_table

system: ## install BLAST+ and Python from the system's packages if they are missing
	@sh config/system.sh

$(BLASTWEB):
	@sh config/venv.sh .blastweb
	.blastweb/bin/python -m pip install --quiet blastweb==0.1.6

$(AZURITE): ## the emulator of Azure Blob Storage
	@sh config/system.sh npm
	npm install --silent --no-fund --no-audit --prefix .azurite azurite@3

tests/page/node_modules/.package-lock.json: tests/page/package-lock.json ## what checks the pages' code; nothing of it is served
	@sh config/system.sh npm
	npm ci --silent --no-fund --no-audit --prefix tests/page

install: $(VENV)/installed

dev: $(VENV)/developed

$(VENV)/installed: pyproject.toml
	@sh config/venv.sh $(VENV)
	@echo "== installing blastd and what it needs into $(VENV) (about half a minute)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[server]'
	@touch $@

$(VENV)/developed: pyproject.toml
	@sh config/venv.sh $(VENV)
	@echo "== installing blastd and what its tests need into $(VENV) (about a minute)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/installed

clean: ## remove the environment and the demonstration
	rm -rf $(VENV) .floor .python3.* .blastweb .demo .hammer $(BENCH)
