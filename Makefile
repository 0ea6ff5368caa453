# SPDX-License-Identifier: BSD-2-Clause
#
#	make run	boot a guest, make a process privileged in it, show what it can do
#	make test	unit tests, then the integration suites in guests
#	make soak	start and stop 300 machines, two at once, and look for what is left
#	make lint	style and types of the Python (C is compiled with -Werror by every build)
#	make doctor	which engines boot on this machine, and what is missing
#
# Each target installs what it lacks, reuses what is there, and can be run again at any time.

VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help

help:
	@sed -n 's/^#	make/make/p' Makefile

setup:
	@sh lab/bootstrap.sh

run: setup
	@$(BIN)/dbos-lab run

doctor: setup
	@$(BIN)/dbos-lab doctor

test: unit integration

unit: setup
	$(BIN)/pytest tests/unit

# Under --lab-require a missing capability is a failure: svm-tcg needs nothing a host can lack.
integration: setup
	$(BIN)/dbos-lab image
	$(BIN)/pytest lab --lab-require svm

soak: setup
	$(BIN)/dbos-lab image
	$(BIN)/pytest lab/suites/test_cycles.py --lab-cycles 300 -s

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# Gives up what the lab has stored on this machine: images, builds, kept runs.
clean:
	rm -rf $(VENV) build "$${DBOS_LAB_CACHE:-$${XDG_CACHE_HOME:-$$HOME/.cache}/dbos-lab}"

.PHONY: help setup run doctor test unit integration soak lint clean
