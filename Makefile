# `make` alone lists the targets. What takes more than a few lines is in scripts/.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BINARY := .build/release/argus
FORMATTED := Package.swift Sources Tests

.PHONY: help run build test bench chaos mutants fuzz sanitize fmt lint check tidy codex base-images setup clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' Makefile

run: build ## install what is missing, build, and start Argus here (Ctrl-C stops all of it)
	@exec $(BINARY) up $(ARGS)

build: setup ## the release binary: .build/release/argus
	@swift build -c release --static-swift-stdlib --product argus

test: setup ## all tests, with their own Redis servers (and the real Codex, if PyPI answers)
	@scripts/test

bench: build ## speed and memory with the demo runtime, as ratios in one run
	@scripts/bench $(ARGS)

chaos: setup ## kill and stop everything at random for 2 minutes, then let an oracle judge (ARGS="--seconds 1800 --seed 7")
	@swift build --product argus
	@swift build --product argus-chaos
	@.build/debug/argus-chaos $(ARGS)

mutants: setup ## break what the promises rest on, one thing at a time: a test must notice (ARGS="--chaos": a chaos run)
	@scripts/mutants $(ARGS)

fuzz: setup ## fuzz each parser of what comes from outside for 60 s (ARGS="600", ARGS="600 resp json")
	@scripts/fuzz $(ARGS)

sanitize: setup ## all tests under the address and the thread sanitizer (ARGS="thread --filter QueueTests")
	@scripts/sanitize $(ARGS)

fmt: ## bring all Swift files into form
	@swift format format --in-place --recursive --parallel $(FORMATTED)

lint: ## say what `make fmt` would change, and what breaks a rule
	@swift format lint --strict --recursive --parallel $(FORMATTED)

check: setup lint tidy ## lint, build with warnings as errors, and the rules of the architecture

tidy:
	@swift build --build-tests
	@swift test --skip-build --filter TidyTests

codex: ## install Codex from PyPI into Argus's home, for `argus up`
	@scripts/codex

base-images: ## the images that compose/Dockerfile starts from, made here where no registry can be reached (root)
	@scripts/base-images $(ARGS)

setup: ## install the system packages that are missing (apt, as root or by sudo)
	@scripts/setup

clean: ## remove what was built
	@rm -rf .build .build-fuzz .build-asan .build-tsan
