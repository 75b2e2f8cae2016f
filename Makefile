# Drumtower. `make up` runs the whole platform here; `make test` runs its tests. Both install what is missing first and say so.

CARGO ?= cargo
# cargo-nextest when it is there; compiling it just for this would take longer than it saves.
TEST = $(shell if $(CARGO) nextest --version >/dev/null 2>&1; then echo nextest run; else echo test; fi)

# Where a newer Node.js had to be fetched for the pages, it is the one.
export PATH := $(CURDIR)/.drumtower/node/node_modules/.bin:$(PATH)

.PHONY: help up test bench lint clean
.DEFAULT_GOAL := help

help: ## Says what there is
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-7s %s\n", $$1, $$2}'

up: ## Builds and runs everything: the pages, private PostgreSQL and Redis, all services, two demonstration districts (UP_FLAGS="--help")
	@deploy/local/install.sh
	@deploy/local/console.sh --release
	$(CARGO) build --release --locked -p drumtower
	@exec target/release/drumtower up $(UP_FLAGS)

test: ## Runs all tests; they start their own PostgreSQL and Redis
	@deploy/local/install.sh --test
	@deploy/local/console.sh
	npm --prefix gateway/console test
	$(CARGO) $(TEST) --locked --workspace --exclude drumtower-tests
	$(CARGO) build --locked -p drumtower
	$(CARGO) test --locked -p drumtower-tests

bench: ## Measures the platform beside its limits and peers, some three minutes after the build
	@deploy/local/install.sh
	$(CARGO) build --release --locked -p drumtower -p drumtower-bench
	@target/release/drumtower-bench

lint: ## Checks formatting, lints, the contract, licences, advisories and unused dependencies
	@LINT_ONLY=1 .ci/run

clean: ## Removes what was built, and the installation in .drumtower with all its data
	@if [ -e .drumtower/lock ] && ! flock -n .drumtower/lock true; then echo "It runs here; stop it first" >&2; exit 1; fi
	$(CARGO) clean
	@for part in postgres redis; do if [ -L .drumtower/$$part ]; then rm -rf "$$(readlink .drumtower/$$part)"; fi; done
	rm -rf .drumtower gateway/console/dist gateway/console/src/gen gateway/console/node_modules
