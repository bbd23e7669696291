# Everything that a developer calls, and what CI calls too. `make` alone lists it.

GO ?= go
# The toolchain that everything is built with, whichever Go from 1.21 on is there: it fetches this one by itself, also where its own
# settings say that it is to use no other.
export GOTOOLCHAIN ?= go1.27.3
# That toolchain's own: one of another version may not read the language of this one.
GOFMT = $$($(GO) env GOROOT)/bin/gofmt
# The same for everything that is built, so that nothing is compiled twice; and binaries that need no libraries.
export CGO_ENABLED = 0
export GOFLAGS ?= -trimpath
# The proxies of the demo; test/proxies.sh installs Debian's own where they are missing.
NGINX ?= $(shell sh test/proxies.sh --host | grep '/nginx$$')
HAPROXY ?= $(shell sh test/proxies.sh --host | grep '/haproxy$$')
# The proxy that the demo and the conformance suite run on: for the suite by its name in test/proxies.sh or as a file, one
# test of the suite unless empty, more flags of the suite, and what its report says was tested.
PROXY ?= nginx
PROXY_BINARY ?=
RUN ?=
ARGS ?=
VERSION ?= $(shell git describe --tags --always)
# What `make race` runs: packages that need no proxy.
RACE ?= ./cmd/... ./controller/... ./generators ./generators/matching/... ./generators/model ./generators/pattern ./runtime/apply \
	./runtime/bridge/... ./runtime/folder ./runtime/marker ./runtime/process ./runtime/serve ./runtime/proxies ./runtime/watch ./test/cases
# What `make test` takes of them: where goroutines share state, but for what brings libraries of Kubernetes with it. To compile those
# for the race detector takes minutes where nothing is compiled yet.
SHARED = ./runtime/apply ./runtime/bridge/frames ./runtime/folder ./runtime/marker ./runtime/process ./runtime/watch
# How long the tests of one package may take.
TIMEOUT ?= 30m
# What `make check` tests.
CHECK = ./cmd/... ./controller/... ./generators/... ./runtime/apply ./runtime/bridge/... ./runtime/folder ./runtime/process ./runtime/watch ./runtime/beneath \
	./runtime/proxies ./runtime/serve ./templates ./test ./test/cases ./test/harness ./test/generators/... ./test/e2e
# How much `make soak` does: random inputs for the generators, random configurations to serve, rounds of changes and kills.
SEEDS ?= 5000
CONFIGS ?= 1000
ROUNDS ?= 10

.PHONY: help
help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name text; do printf '  make %-10s %s\n' "$$name" "$$text"; done

.PHONY: build
build: ## Build bin/gatewright
	$(GO) build -ldflags '-s -w -X main.version=$(VERSION)' -o bin/gatewright ./cmd/gatewright

.PHONY: image
image: ## Make an OCI image for amd64 and arm64 in bin/image and bin/image.tar, without a daemon
	$(GO) run ./deploy/image -out bin/image -version '$(VERSION)'

.PHONY: demo
demo: build ## Show gatewright at work with nginx, or PROXY=haproxy, and real servers, then stop everything
	$(GO) build -o bin/demo ./test/demo
	bin/demo -gatewright bin/gatewright -proxy $(PROXY) -proxy-binary $(if $(filter haproxy,$(PROXY)),$(HAPROXY),$(NGINX))

.PHONY: test
test: proxies cluster browser lint build ## Install or build the proxies, programs and control plane that are missing, then run every check and test
	@$(MAKE) --no-print-directory race RACE='$(SHARED)'
	@sh test/suite.sh ./... -timeout $(TIMEOUT)
	@echo
	@echo 'All passed: gofmt, go vet, staticcheck, every package with'
	@sh test/proxies.sh --list | sed 's/^/  /'

.PHONY: check
check: export GATEWRIGHT_SUITES = host
check: lint build ## For every day, under three minutes: what is pure, the golden cases, calls through the host's own proxies
	@sh test/proxies.sh >/dev/null
	@sh test/suite.sh '$(CHECK)' -short -timeout 5m

.PHONY: soak
soak: proxies build ## Endurance, an hour or more: random inputs and calls, changes and kills under load; SEEDS, CONFIGS, ROUNDS
	@sh test/suite.sh ./test/hostile -timeout 2h -run TestHostile -args -hostile.seeds $(SEEDS) -hostile.every-version
	@sh test/suite.sh ./test/e2e -timeout 2h -run TestProperty -args -configs $(CONFIGS) -every-version
	@sh test/suite.sh ./test/run -timeout 2h -count $(ROUNDS) -run 'TestChanges|TestKills|TestEndInReload' \
		-args -callers 25 -changes 50 -kills 20 -ends 8
	@sh test/suite.sh ./test/run -timeout 2h -count $(ROUNDS) -run TestHTTPChanges -args -callers 50 -changes 50

.PHONY: race
race: export CGO_ENABLED = 1
race: ## Run the race detector over all packages that need no proxy; installs a C compiler (as root; once)
	@sh test/compiler.sh
	@sh test/suite.sh '$(RACE)' -race -short -timeout $(TIMEOUT)

.PHONY: proxies
proxies: ## Install the proxies that the tests run (as root; once)
	@sh test/proxies.sh

.PHONY: browser
browser: ## Install the browser that the tests run, gRPC on the C core for Python, and promtool (as root; once)
	@sh test/others.sh

.PHONY: cluster
# Built by the Go that its own module asks for, so that another toolchain of ours doesn't have it built again.
cluster: export GOTOOLCHAIN = auto
cluster: ## Build the control plane that the tests run: etcd, kube-apiserver, kube-controller-manager (once)
	@sh test/cluster/build.sh

.PHONY: conformance
conformance: build proxies cluster ## Run the Gateway API's conformance suite: PROXY=nginx|haproxy|nginx-1.26, RUN=Test for one test
	$(GO) build -o bin/conformance ./test/conformance
	cd test/conformance/suite && $(GO) vet ./... && $(GO) test -c -o $(CURDIR)/bin/conformance-suite . && \
	$(GO) build -o $(CURDIR)/bin/echo-basic sigs.k8s.io/gateway-api-conformance-images/echo-basic
	bin/conformance -proxy '$(PROXY)' -proxy-binary '$(PROXY_BINARY)' -run '$(RUN)' -version '$(VERSION)' -- $(ARGS)

.PHONY: lint
lint: ## Check formatting, run go vet and staticcheck, and hold every package to what it may import
	@unformatted=$$($(GOFMT) -l $$($(GO) list -f '{{.Dir}}' ./...)) && \
	if [ -n "$$unformatted" ]; then echo "gofmt would change:" && echo "$$unformatted" && exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	@unformatted=$$($(GOFMT) -l test/conformance/suite) && \
	if [ -n "$$unformatted" ]; then echo "gofmt would change:" && echo "$$unformatted" && exit 1; fi
	$(GO) test ./test

.PHONY: golden
golden: ## Write the golden files of test/cases anew
	$(GO) test ./test/cases -update

.PHONY: bench
bench: build cluster ## Measure gatewright and what it renders
	$(GO) run ./test/bench
