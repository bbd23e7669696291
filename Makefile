# Everything that a developer calls, and what CI calls too. `make` alone lists it.

GO ?= go
# The nginx of the demo; test/proxies.sh installs Debian's own where it is missing.
NGINX ?= $(shell sh test/proxies.sh --host | grep '/nginx$$')
# How long the tests of one package may take.
TIMEOUT ?= 40m

.PHONY: help
help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name text; do printf '  make %-10s %s\n' "$$name" "$$text"; done

.PHONY: build
build: ## Build bin/gatewright
	$(GO) build -trimpath -o bin/gatewright ./cmd/gatewright

.PHONY: demo
demo: build ## Show gatewright at work with nginx and real gRPC servers, then stop everything
	$(GO) build -o bin/demo ./test/demo
	bin/demo -gatewright bin/gatewright -nginx $(NGINX)

# One package at a time: proxies, servers and callers of two would take each other's processors.
.PHONY: test
test: proxies lint build ## Install the proxies that are missing, then run every check and test
	$(GO) test -p 1 -timeout $(TIMEOUT) ./...
	@echo
	@echo 'All passed: gofmt, go vet, every package with'
	@sh test/proxies.sh --list | sed 's/^/  /'

.PHONY: proxies
proxies: ## Install the proxies that the tests run (as root; once)
	@sh test/proxies.sh

.PHONY: lint
lint: ## Check formatting, run go vet, and hold every package to what it may import
	@unformatted=$$(gofmt -l $$($(GO) list -f '{{.Dir}}' ./...)) && \
	if [ -n "$$unformatted" ]; then echo "gofmt would change:" && echo "$$unformatted" && exit 1; fi
	$(GO) vet ./...
	$(GO) test ./test

.PHONY: golden
golden: ## Write the golden files of test/cases anew
	$(GO) test ./test/cases -update

.PHONY: bench
bench: build ## Measure gatewright and what it renders
	$(GO) run ./test/bench
