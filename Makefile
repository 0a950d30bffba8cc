# Each target is self-sufficient: it installs what it needs (Debian 12), builds and runs.
.PHONY: help build tuned demo test bench bench-peers bench-gateway soak fuzz sanitize lint clean

help:
	@echo "make build   set-up and release build: build/release/bin/tophand"
	@echo "make tuned   build/tuned/bin/tophand: the same, laid out by what requests run; takes longer"
	@echo "make demo    build, fetch the default model, show real tasks being answered"
	@echo "make test    build and run every test; the last line counts them"
	@echo "make bench   the benchmarks, beside llama.cpp where it is installed"
	@echo "make bench-peers  the engine beside bitnet.cpp, ik_llama.cpp, llama.cpp where you have them"
	@echo "make bench-gateway  what the gateway adds to a request, beside a direct connection"
	@echo "make soak    the fault tests and the end-to-end tests over and over (SOAK_ROUNDS=20)"
	@echo "make fuzz    every fuzz target, a minute each (FUZZ_SECONDS=60)"
	@echo "make sanitize  the unit tests under the address, undefined and thread sanitizers"
	@echo "make lint    formatting, static analysis, tree checks"
	@echo "make clean   remove build/"

build:
	@scripts/setup.sh
	@scripts/build.sh release tophand

tuned:
	@scripts/setup.sh dev
	@scripts/tune.sh

demo:
	@scripts/setup.sh
	@scripts/fetch_and_build.sh qwen2.5-coder:1.5b
	@scripts/demo.sh build/release/bin/tophand

test:
	@scripts/setup.sh test
	@scripts/fetch_and_build.sh smollm2:135m all
	@scripts/test.sh

bench:
	@scripts/setup.sh dev
	@scripts/build.sh bench
	@scripts/bench.sh

bench-peers:
	@scripts/setup.sh
	@scripts/build.sh release tophand
	@python3 bench/compare_peers.py $(BENCH_PEERS)

bench-gateway:
	@scripts/setup.sh dev
	@scripts/build.sh bench tophand gateway_load
	@python3 bench/gateway_latency.py $(BENCH_GATEWAY)

soak:
	@scripts/setup.sh test
	@scripts/build.sh release all
	@scripts/soak.sh

fuzz:
	@scripts/setup.sh dev
	@scripts/build.sh fuzz
	@scripts/fuzz.sh

sanitize:
	@scripts/setup.sh test dev
	@scripts/build.sh asan
	@scripts/build.sh tsan
	@scripts/sanitize.sh

lint:
	@scripts/setup.sh test dev
	@scripts/lint.sh

clean:
	rm -rf build
