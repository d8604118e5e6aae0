# make run     build everything and take a first look (needs Go and make only)
# make test    install what the tests need, vet, run all tests
# make help    the rest

GO       ?= go
GOFLAGS  += -trimpath
LINT     := bin/golangci-lint
LINT_VERSION := v2.12.2
PACKAGES := mosquitto mosquitto-clients clang lld wasi-libc libclang-rt-14-dev-wasm32 gcc libc6-dev iproute2 openssl curl qemu-user-static postgresql
# The agent speaks HTTP/1.1 only (its /metrics): HTTP/2 would cost 0.4 MB of its 15.
AGENT_TAGS := nethttpomithttp2
# Packages that do little work on a gateway are built without inlining: it would cost 1.1 MB. Those
# that touch every row (decode, engine, aggregate, batches, codecs, compression) keep it.
AGENT_SMALL := net/http net crypto/... encoding/asn1 encoding/json encoding/csv debug/dwarf math/big text/... vendor/golang.org/x/... regexp/... \
  log/slog fmt reflect time os mime/... github.com/tetratelabs/wazero/... go.yaml.in/yaml/v3 github.com/spf13/... github.com/go-viper/... \
  github.com/gorilla/websocket github.com/quic-go/... github.com/sagikazarmark/... github.com/subosito/... github.com/pelletier/... \
  github.com/fsnotify/... github.com/VictoriaMetrics/... github.com/eclipse/... \
  github.com/leatio/leat/engine/plan github.com/leatio/leat/agent github.com/leatio/leat/agent/sink/... github.com/leatio/leat/internal/... \
  github.com/leatio/leat/cmd/... github.com/leatio/leat/transport github.com/leatio/leat/transport/identity github.com/leatio/leat/transport/wire \
  github.com/leatio/leat/checkpoint github.com/leatio/leat/wasm/...
OUT      ?= bin/leat-agent
FUZZTIME ?= 30s
SEED     ?= 0
MESSAGES ?= 200000
KILLS    ?= 20
FOR      ?= 10m
SECONDS  ?= 60

export CGO_ENABLED ?= 0

.PHONY: help build agent run test test-arm64 race lint sim-engine crash diff-postgres bench fuzz udf generate deps clean

help: ## show this help
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 16

build: ## build the three programs into bin/
	@mkdir -p bin
	$(GO) build $(GOFLAGS) -ldflags="-s -w" -o bin/ ./cmd/leat ./cmd/leat-cloud
	@$(MAKE) -s agent

agent: # the agent as it is shipped; OUT is where to
	$(GO) build $(GOFLAGS) $(AGENT_SMALL:%=-gcflags=%=-l) -tags $(AGENT_TAGS) -ldflags="-s -w" -o $(OUT) ./cmd/leat-agent

run: build ## broker, simulated sensors, agent and cloud node on loopback, with a live view
	./bin/leat up

deps: ## install what the tests need (Debian packages)
	@missing=$$(dpkg-query -W -f='$${db:Status-Abbrev} $${Package}\n' $(PACKAGES) 2>/dev/null | awk '$$1=="ii"{print $$2}' | sed 's/:.*//' | sort > .deps.have; \
	  printf '%s\n' $(PACKAGES) | sort | comm -23 - .deps.have; rm -f .deps.have); \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" != 0 ]; then echo "The tests need Debian packages. Run this once, then make test again:"; echo "  sudo apt-get update && sudo apt-get install -y" $$missing; exit 1; fi; \
	mkdir -p /etc/postgresql-common; test -e /etc/postgresql-common/createcluster.conf || echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf; \
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o Dpkg::Options::=--force-confold $$missing >/dev/null

test: deps ## everything but the long runs
	$(GO) vet ./...
	$(GO) test -timeout 15m ./...

test-arm64: deps ## states and results of aggregates as an arm64 program, under qemu
	$(GO) test -count=1 -v ./test/arm64

race: deps ## the tests of the packages that run goroutines, under the race detector
	CGO_ENABLED=1 $(GO) test -race -short -timeout 15m ./agent/... ./aggregate/... ./checkpoint/... ./cloud/... ./engine/... ./internal/... ./transport/... ./wasm/...

$(LINT):
	@mkdir -p bin
	GOBIN=$(CURDIR)/bin GOFLAGS=-mod=mod $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)

lint: $(LINT) ## golangci-lint with the import rules of .golangci.yml
	GOLANGCI_LINT_CACHE=$(CURDIR)/bin/lint-cache $(LINT) run --allow-parallel-runners ./... # a cache of its own: the linter mixes up clones
	GOARCH=arm $(GO) vet ./engine/... ./cmd/leat-agent # ints of 32 bits

sim-engine: ## random pipelines on random fleets against a naive computation (SEED, FOR)
	$(GO) test ./test/simengine -run TestFleet -count=1 -timeout 24h -v -seed=$(SEED) -seeds=0 -for=$(FOR)

crash: deps ## kill agent and cloud node at random while messages flow (SEED, MESSAGES, KILLS)
	$(GO) test ./test/crash -run TestCrash -count=1 -timeout 2h -v -crash.messages=$(MESSAGES) -crash.kills=$(KILLS) -crash.seed=$(SEED)

diff-postgres: deps ## random expressions here and on a PostgreSQL, for SECONDS (SEED)
	LEAT_SEED=$(SEED) $(GO) test ./test/postgres -run TestRandomExpressions -count=1 -timeout 24h -v -postgres.seconds=$(SECONDS)

bench: ## the figures of docs/benchmarks.md, against bounds in the same run
	$(GO) run ./test/bench

fuzz: ## every fuzz target for FUZZTIME
	@GO=$(GO) FUZZTIME=$(FUZZTIME) bash test/fuzz.sh

udf: ## rebuild the example functions (clang and Go)
	$(MAKE) -C examples/udf

generate: ## rebuild the generated Go of the protobuf files (protoc, protoc-gen-go)
	$(GO) generate ./...

clean: ## remove what was built
	rm -rf bin
