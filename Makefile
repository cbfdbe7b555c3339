# What a person types. `make help` lists it.
TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
CARGO  := cargo

.PHONY: help deb demo test bench bench-beside bench-bulk bench-identity bench-ledger bench-many bench-privacy fuzz packages torture
help: ## these lines
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/'

deb: ## a Debian package of the release build, in target/debian
	$(CARGO) build --release --locked --bin kangqiao
	@packaging/deb $(TARGET)/release/kangqiao $(TARGET)/debian

demo: ## the whole story with real sockets; stays up until Ctrl-C
	$(CARGO) build --locked
	$(TARGET)/debug/kangqiao demo

packages: ## Debian packages and foreign clients the tests use
	@scripts/packages
	@scripts/clients $(TARGET)/clients

test: packages ## everything: style, lints, unit, property, sockets, browser, crash, demo, README, fuzz, FUZZ_SECONDS=20 for each reader
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	@# Tests wait for clocks and sockets more than for a core.
	KANGQIAO_CLIENTS=$(TARGET)/clients RUST_TEST_THREADS=$(or $(RUST_TEST_THREADS),4) $(CARGO) test --locked --workspace
	@scripts/judge $(TARGET)/tools
	@scripts/fuzz $(or $(FUZZ_SECONDS),20) $(TARGET)

bench: ## throughput, latency, memory, start-up and conversions as ratios; writes target/*.json
	$(CARGO) bench --locked --bench gateway
	$(CARGO) bench --locked --bench translate
	$(CARGO) bench --locked --bench notices
	$(CARGO) bench --locked --bench batch

bench-beside: ## handshakes and cached inquiries beside nginx, questions from the store beside bare reads and appends; target/beside.json
	$(CARGO) bench --locked --bench beside

bench-bulk: ## a batch of a million messages, a start with a million notices waiting; KANGQIAO_BULK_MESSAGES; target/bulk.json
	$(CARGO) bench --locked --bench bulk

bench-identity: ## who is one person, by truth, and one record against a million people; target/identity.json, index.json
	$(CARGO) bench --locked --bench identity
	$(CARGO) bench --locked --bench index

bench-privacy: ## what a decision costs, and what the time of an answer tells; target/privacy.json
	$(CARGO) bench --locked --bench privacy

bench-ledger: ## a million entries, or KANGQIAO_LEDGER_ENTRIES: verified, proven, restarted, every page read; target/ledger.json
	$(CARGO) bench --locked --bench ledger

bench-many: ## one gateway and three on PostgreSQL beside pgbench, what a message costs the server; target/many.json
	$(CARGO) bench --locked --bench many

torture: ## ten thousand power cuts, disks that ail, wires that fail, gateways that fall, simulated and real; IMAGES=10000, ROUNDS=120, SEEDS=5000; target/torture.json
	KANGQIAO_SIM_SEEDS=$(or $(SEEDS),5000) $(CARGO) test --locked --lib simulation::no_order
	KANGQIAO_TORTURE_IMAGES=$(or $(IMAGES),10000) KANGQIAO_MANY_ROUNDS=$(or $(ROUNDS),120) \
		$(CARGO) test --locked --test all -- torture:: ailing:: wires:: many::

fuzz: ## every reader fed with spoilt bytes; SECONDS=600 for each, two at a time
	@scripts/fuzz $(or $(SECONDS),600) $(TARGET)
