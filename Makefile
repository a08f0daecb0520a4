# `make` lists the targets. Each sets up what it needs; Rust (rustup), Go and, for `test`, Python 3 must be on PATH.
.DEFAULT_GOAL := help
.PHONY: help demo test crashes build lint audit explore fuzz manifests

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Watch three simulated AKS clusters being upgraded; KEEP=1 leaves all running until Ctrl-C
	@scripts/demo

test: ## Check everything that has to hold before a change goes in
	@scripts/test

crashes: ## Kill the operator at each of its changes and at each moment of it; `make test` tries a third of that
	@scripts/crashes

build: ## Build all binaries for development
	@cargo build --workspace --bins

lint: ## Check formatting and run clippy, warnings denied
	@cargo fmt --all --check
	@cargo clippy --workspace --all-targets -- -D warnings

audit: ## Check dependencies: advisories too, which needs the network
	@scripts/cargo-deny check

explore: ## Run random fleets under random misfortune in virtual time; SEEDS=10000, FROM=0
	@scripts/explore

fuzz: ## Feed invented answers of Azure to everything that reads them; FUZZ_TIME=60 seconds
	@scripts/fuzz

manifests: ## Write the CustomResourceDefinitions anew from the Rust types
	@scripts/manifests
