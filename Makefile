# harmonynet: `make` lists the targets. Each installs what it needs and this machine lacks (.ci/setup; asks before sudo).
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
# rustup's and our own tools are found even where no shell profile names them.
export PATH := $(CURDIR)/target/tools/bin:$(HOME)/.cargo/bin:$(PATH)

# What `make run` does; `make run ARGS="listen --device hw:1"` listens to that microphone.
ARGS ?= listen --or-demo
BARE_METAL := thumbv7em-none-eabihf
# What a device needs that listens to a microphone and shows the genre on LEDs.
SMALL := alsa,linux,native,cli
# Inlining makes code large that is optimized for speed, and of the signal path nearly all that must be inlined says so: with it
# held back, the path executes 1 % more instructions per second of sound on x86-64, 3 % on a Cortex-A53.
SMALL_INLINING := -C llvm-args=-inline-threshold=10 -C llvm-args=-inlinehint-threshold=30
# The standard library without the code that finds names and lines for backtraces, of which a stripped program has none: what
# panics says so all the same. It must be built for that, which a stable compiler does if it is told so.
SMALL_STD := -Z build-std=std,panic_abort -Z build-std-features=optimize_for_size
# Panics say what, not where in sources; `Debug` of what has fields, which no message for people is made of, is its name alone.
# SHA-256, of which a load computes a handful, in few instructions.
SMALL_TERSE := -Z location-detail=none -Z fmt-debug=shallow --cfg sha2_backend=\"soft\" --cfg sha2_backend_soft=\"compact\"
# The program's own crate is the command line alone, and what stages are made of for it: for size. The library is for speed, so
# this is no matter of the profile, which both share.
SMALL_PROGRAM := -C llvm-args=-force-attribute=minsize
# For another processor: a target of rustc.
SMALL_TARGET ?= $(shell rustc --version --verbose | sed -n 's/^host: //p')
# No tables for unwinding the stack.
SMALL_LINKING := -C link-arg=-Wl,--no-eh-frame-hdr -C 'link-arg=-T$(CURDIR)/.ci/small.ld'
# Of functions that are the same, one: where rustc links with LLVM's linker.
ifneq ($(filter x86_64-%-linux-gnu,$(SMALL_TARGET)),)
SMALL_LINKING += -C link-arg=-Wl,--icf=all
endif

# Which rig measures: a file of tests/hil.
RIG ?= virtual
# What `make chaos` and `make soak` do depends on it: order of faults, durations, garbage.
SEED ?= 1
# How much sound a soak hears; how long each fuzz target runs.
HOURS ?= 24
SECONDS_EACH ?= 60

.PHONY: help run small deb dist dist-check image test test-arm test-deb test-image test-train lint bench insn hil pico chaos soak fuzz sanitize bare-metal pictures clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: ## build and listen: to the default microphone, or to self-made music where there is none
	@.ci/setup run
	cargo build --release --locked
	target/release/harmonynet $(ARGS)

small: ## the program with the native engine alone, without tract: target/small/harmonynet; the last line is its size in KiB
	@.ci/setup small
	@# Loaders before glibc 2.36 don't know packed relocations.
	packed=; if printf 'glibc 2.36\n%s\n' "$$(getconf GNU_LIBC_VERSION)" | sort -VC; then \
	  packed='-C link-arg=-Wl,-z,pack-relative-relocs'; fi; \
	RUSTC_BOOTSTRAP=1 RUSTFLAGS="$${RUSTFLAGS:-} $(SMALL_INLINING) $(SMALL_TERSE)" \
	  cargo rustc --profile small --locked --no-default-features --features $(SMALL) --bin harmonynet \
	  $(SMALL_STD) --target $(SMALL_TARGET) -- \
	  $(SMALL_PROGRAM) $(SMALL_LINKING) $$packed
	@install -D target/$(SMALL_TARGET)/small/harmonynet target/small/harmonynet
	@stat --format %s target/small/harmonynet | awk '{ print int(($$1 + 1023) / 1024) }'

deb: ## a Debian package of program, model, boards and service, for this machine's processor: target/debian
	@.ci/setup deb
	cargo build --release --locked
	cargo deb --no-build --locked --quiet
	@ls -s --block-size=KiB target/debian/harmonynet_*.deb

dist: ## the program for PCs and every board: stripped, Debian package, bill of materials, checksums: target/dist (TARGET=aarch64: that)
	@.ci/setup dist
	.ci/dist $(TARGET)

dist-check: dist ## builds it again in another folder (TARGET=...: that alone): the same bytes must come out
	.ci/dist check $(TARGET)

image: ## an SD card's image for BOARD=pi-zero, pi-1, pi-zero-2, pi-3 or pi-4 (wants root; downloads packages): target/image
	@.ci/setup image
	boards/image/build $(BOARD)

test: ## every test: features one by one, the core without an operating system, the whole workspace, the documentation
	@.ci/setup test
	.ci/features check
	@if [ -d "$$(rustc --print sysroot)/lib/rustlib/$(BARE_METAL)" ]; then \
	  set -x; cargo build --locked --no-default-features --features leds --target $(BARE_METAL); \
	else \
	  echo "skipped: the build for $(BARE_METAL) (no such Rust target here; .ci/setup says how to get it)"; \
	fi
	cargo test --workspace --locked --no-fail-fast

test-arm: ## on emulated processors of the boards: the native engine's tests, and the whole program hears what it hears on x86-64
	@.ci/setup test-arm
	.ci/arm test
	.ci/dist test $(TARGET)

test-deb: deb ## the package in a clean Debian root (wants root; downloads packages): install, upgrade, removal, purge; leaves target/deb.log
	@.ci/setup test-deb
	.ci/deb-test target/deb.log

test-image: ## boots the images of target/image in QEMU: music in, verdict out, twenty power cuts (CUTS=20; minutes each; PART=cuts: these alone)
	@.ci/setup run
	@.ci/setup test-image
	python3 -m unittest discover -s boards/image -p test_imager.py
	boards/image/test $(BOARD)

test-train: ## the training recipe's tests, in a Python environment in target/ (PyTorch there takes 6 GB)
	@.ci/setup test-train
	[ -x target/train-venv/bin/python ] || python3 -m venv target/train-venv
	target/train-venv/bin/pip install --quiet --disable-pip-version-check -r models/train/requirements.txt
	cd models/train && ../../target/train-venv/bin/python -m unittest discover -v -p 'test*.py'

lint: ## formatting, clippy, documentation, licences of dependencies, scripts, the model card's tables
	@.ci/setup lint
	cargo fmt --all --check
	@# Firmwares and fuzz targets are workspaces of their own: a lock file goes stale unseen when the library's dependencies change.
	for apart in tests/bare-metal tests/hil/pico tests/fuzz; do \
	  cargo metadata --locked --quiet --format-version 1 --manifest-path $$apart/Cargo.toml >/dev/null; \
	  cargo fmt --check --manifest-path $$apart/Cargo.toml; done
	cargo clippy --workspace --all-targets --locked -- -D warnings
	.ci/features clippy
	RUSTDOCFLAGS=-Dwarnings cargo doc --workspace --no-deps --locked
	cargo deny --log-level warn --locked check bans licenses sources
	.ci/dependencies known >/dev/null
	shellcheck .ci/setup .ci/run .ci/features .ci/fuzz .ci/sanitize .ci/bare-metal .ci/pico .ci/arm .ci/cc .ci/dist .ci/debian-sources .ci/deb-test boards/debian/postinst boards/debian/postrm boards/image/build boards/image/test boards/image/init boards/image/root/usr/lib/harmonynet/*
	python3 models/train/assemble.py --check >/dev/null

bench: ## costs beside librosa and others: tables, and target/bench.json (PART=frontend, engines, stream, ...: one table)
	@.ci/setup bench
	cargo bench --locked --bench bench --no-run
	@# On one core (the last that this shell may use), so that no contender wanders.
	pin=""; if command -v taskset >/dev/null; then pin="taskset -c $$(taskset -pc $$$$ | sed 's/.*[^0-9]//')"; fi; \
	$$pin cargo bench --locked --bench bench -- $(PART)

bare-metal: ## a firmware of front-end, native engine and decision for a Cortex-M4F: what flash and RAM it takes; runs it in QEMU
	@.ci/setup bare-metal
	.ci/bare-metal

insn: ## instructions per window and per second of sound on the boards' processors, beside tract: tables, and target/insn.json
	@.ci/setup insn
	python3 tests/bench/insn/insn.py

pictures: ## the pictures of the live page in tests/pictures, drawn by headless Chromium
	@.ci/setup pictures
	mkdir -p target/pictures
	HARMONYNET_PAGE_PICTURES=target/pictures cargo test --locked --test page a_browser
	@# A spectrogram has more colours than anybody sees.
	for name in page-desktop page-phone page-phone-light; do \
	  pngquant --force --speed 1 --quality 50-85 --strip --output tests/pictures/$$name.png target/pictures/$$name.png; done

hil: ## how long sound takes to the display, measured from outside: RIG=virtual needs no hardware; tests/hil has the rigs
	@.ci/setup run
	cargo build --release --locked
	target/release/harmonynet latency --rig tests/hil/$(RIG).toml

pico: ## the firmware of the rigs' stimulus and stopwatch, a Raspberry Pi Pico: target/pico/harmonynet-pico.uf2
	@.ci/setup pico
	.ci/pico

chaos: ## every fault around the real program, and a million events: writes the tables of tests/chaos/README.md (SEED=7: another run)
	@.ci/setup chaos
	cargo build --release --locked
	HARMONYNET_CHAOS_SEED=$(SEED) HARMONYNET_CHAOS_PROGRAM=target/release/harmonynet \
	  HARMONYNET_CHAOS_DOCUMENT=tests/chaos/README.md \
	  cargo test --locked --test chaos -- --ignored --nocapture --test-threads 1

soak: ## a day of sound at accelerated time with everything going wrong on schedule (HOURS=24 SEED=1): target/soak.md
	@.ci/setup run
	HARMONYNET_SOAK_HOURS=$(HOURS) HARMONYNET_SOAK_SEED=$(SEED) HARMONYNET_SOAK_REPORT=$(CURDIR)/target/soak.md \
	  cargo test --release --locked --test soak -- --nocapture

fuzz: ## bytes that nobody meant well, into all that reads bytes (SECONDS_EACH=60 per target), on one core; a table of all runs
	@.ci/setup fuzz
	.ci/fuzz $(SECONDS_EACH)
	.ci/fuzz table

sanitize: ## the native engine's kernels under AddressSanitizer, portable parts under Miri
	@.ci/setup sanitize
	.ci/sanitize

clean: ## remove everything that was built
	cargo clean
