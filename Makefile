# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# Every target makes .venv ready first; see scripts/setup.sh.

PYTEST_ARGS ?=
# More than two on two cores: tests of nodes mostly wait.
TEST_PROCESSES ?= 3
LOCK_ARGS ?=
python := .venv/bin/python

.DEFAULT_GOAL := help
.PHONY: help setup demo live test lint format types check lock clean

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## make .venv: the locked versions and this project
	@bash scripts/setup.sh

demo: setup ## record, annotate, generate 20 episodes, draw the report
	.venv/bin/r2rgen demo

live: setup ## the same over DDS: virtual robot, recorder, annotator, generator as ROS 2 nodes
	.venv/bin/r2rgen live

test: setup ## run all tests (PYTEST_ARGS='-k name' chooses)
	@bash scripts/browser.sh
	$(python) -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile $(PYTEST_ARGS)

lint: setup ## ruff: rules and format
	$(python) -m ruff check .
	$(python) -m ruff format --check .

format: setup ## let ruff mend what it can
	$(python) -m ruff check --fix .
	$(python) -m ruff format .

types: setup ## mypy, strict
	$(python) -m mypy

check: lint types test ## all of lint, types and test

lock: setup ## resolve requirements/lock.txt anew (LOCK_ARGS=--upgrade takes newer versions)
	$(python) -m pip install --quiet uv
	$(python) -m uv pip compile --quiet --universal --python-version 3.10 --all-extras setup.py \
		--custom-compile-command 'make lock' $(LOCK_ARGS) --output-file requirements/lock.txt
	$(python) -m uv pip compile --quiet --universal --python-version 3.10 requirements/ros.in \
		--custom-compile-command 'make lock' $(LOCK_ARGS) --output-file requirements/ros.txt

clean: ## remove .venv, caches and build folders; recordings and datasets stay
	rm -rf .venv build install log .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
	find r2rgen_ros test -name __pycache__ -type d -prune -exec rm -rf {} +
