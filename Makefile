# What a newcomer needs: Python 3.11 to 3.13 and make. Everything else is installed into .venv.

SCALE  ?= $(or $(OLTP_LAB_SCALE),challenge)
ROLE   ?=
WORKLOAD ?=
TENANT ?=
SUITS  := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11,$(shell $(p) -c '$(SUITS)' 2>/dev/null && echo $(p))) python3)

BIN := .venv/bin
export OLTP_LAB_SCALE := $(SCALE)
# Dagster recommends its newer command each time; the older one runs a job without a server.
export PYTHONWARNINGS := ignore:Function `job_execute_command` is superseded

.DEFAULT_GOAL := help
.PHONY: help lab load sweep test lint docs ui bench soak oracle growth sync freshness up down psql clean

help: ## What can be made
	@sed -n 's/^\([a-z]*\):[^#]*## /\1\t/p' Makefile | expand -t 8

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c '$(SUITS)' \
	    || { echo "oltp_lab needs Python 3.11 to 3.13: set PYTHON to one, as in make lab PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

lab: .venv/installed ## Build, load, measure, sync and report   [SCALE=smoke|challenge|enterprise]
	@$(BIN)/dagster job execute -m oltp_lab.definitions -j lab
	@$(BIN)/python -m oltp_lab.findings

load: .venv/installed ## Build, and the load runs         [SCALE=...]
	@$(BIN)/dagster job execute -m oltp_lab.definitions -j build
	@$(BIN)/dagster job execute -m oltp_lab.definitions -j load

sweep: .venv/installed ## Load over sessions, pools, rates  [SCALE=... WORKLOAD=... SECONDS=...]
	@$(BIN)/dagster job execute -m oltp_lab.definitions -j build
	@$(BIN)/python -m oltp_lab.load.sweep $(WORKLOAD) $(if $(SECONDS),--seconds $(SECONDS))

# Two at a time, each with servers of its own; the tests of one file share what they set up. In the order of
# the folders, as the run from end to end is the longest and must not come last.
test: .venv/installed ## Run every test
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: .venv/installed ## Style and types, of Python and SQL
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyright
	@$(BIN)/squawk 'sql/schema/**/*.sql' 'sql/operations/*.sql'
	@$(BIN)/python -m oltp_lab_tests.lint

docs: .venv/installed ## Write the generated pages of docs/ anew
	@$(BIN)/python -m oltp_lab.schema.interface docs/interface.md
	@$(BIN)/python -m oltp_lab.findings.challenge docs/challenge.md

sync: .venv/installed ## Keep the warehouse fresh until ^C  [EVERY=seconds]
	@$(BIN)/python -m oltp_lab.warehouse.continuous $(if $(EVERY),--every $(EVERY))

ui: .venv/installed ## Open the Dagster UI
	@$(BIN)/dagster dev

.venv/bench: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	@touch $@

bench: .venv/bench ## Print the benchmark table
	@$(BIN)/python -m oltp_lab_tests.benchmarks

soak: .venv/installed ## Ten million asserted transactions   [TRANSACTIONS=...]
	@$(BIN)/python -m oltp_lab.isolation.under_load.soak $(if $(TRANSACTIONS),--transactions $(TRANSACTIONS))

oracle: .venv/installed ## A thousand kills, and nothing lost     [KILLS=...]
	@$(BIN)/python -m oltp_lab.warehouse.loss_oracle $(if $(KILLS),--kills $(KILLS))

crashes: .venv/installed ## A thousand crashes of content and outbox, and nothing lost
	@$(BIN)/python -m oltp_lab.neighbours.content --kills 700 --crashes 20
	@$(BIN)/python -m oltp_lab.neighbours.notifications --crashes 300

growth: .venv/installed ## How cost grows with tenants and leads   [OPERATIONS="name ..."]
	@$(BIN)/python -m oltp_lab.load.growth $(OPERATIONS)

freshness: .venv/installed ## Does dagster dev keep the warehouse fresh?   [MINUTES=...]
	@$(BIN)/python -m oltp_lab_tests.freshness $(if $(MINUTES),--minutes $(MINUTES))

up: .venv/installed ## Keep the servers running
	@$(BIN)/python -m oltp_lab.servers up

down: .venv/installed ## End whatever is left running
	@$(BIN)/python -m oltp_lab.servers down

psql: .venv/installed ## A prompt on the OLTP database     [ROLE=lab_app TENANT=uuid]
	@$(BIN)/python -m oltp_lab.servers psql $(if $(ROLE),--role $(ROLE)) $(if $(TENANT),--tenant $(TENANT))

clean: ## Remove what the lab made
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m oltp_lab.servers clean; fi
	@rm -rf .venv .tmp_dagster_home_*
