# Sensorium. `make demo` and `make test` each do all that is needed on a fresh Debian 12 machine with Swift 6.3.

BUILD := .build
# Tests see internals, which is another way to compile: a folder of their own, so that neither build undoes the other.
TEST_BUILD := .build/testing
SENSORIUM := $(BUILD)/release/sensorium
PREFIX ?= /usr/local
# Real weights that the demo and the tests use. `make test WEIGHTS=` does without; the tests that want them then say so.
WEIGHTS ?= sensorium-clip-base sensorium-clip-mini dinov2-small clip-vit-b16-vision tiny-vit-5m resnet18-v2 smollm2-135m-instruct ppocr-small photographs/coco45 vocabularies/clip_bpe.txt vocabularies/chinese_bert.txt
DEMO_WEIGHTS ?= sensorium-clip-base
BENCH_WEIGHTS ?= sensorium-clip-base dinov2-small clip-vit-b16-vision smollm2-135m-instruct ppocr-small photographs/coco45 vocabularies/clip_bpe.txt

.DEFAULT_GOAL := help
.PHONY: help setup build weights demo test bench fuzz soak format lint docs man install clean

help: ## list what there is to make
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what the build needs (as root or with sudo; says what and why)
	@tools/setup.sh

build: setup ## build the release binary
	swift build -c release --scratch-path $(BUILD) --product sensorium

weights: build ## fetch the real weights (checked against pinned digests, kept in the user's cache)
	@for name in $(WEIGHTS); do $(SENSORIUM) models pull $$name || exit 1; done

demo: ## set up, build, index a real collection and search it
	@tools/setup.sh --demo
	swift build -c release --scratch-path $(BUILD) --product sensorium
	@for name in $(DEMO_WEIGHTS); do $(SENSORIUM) models pull $$name || exit 1; done
	@tools/demo.sh $(SENSORIUM)

test: ## set up, build and run every test
	@tools/setup.sh --test
	swift test list -c release --scratch-path $(TEST_BUILD) > /dev/null
	@for name in $(WEIGHTS); do $(TEST_BUILD)/release/sensorium models pull $$name || exit 1; done
	@if [ -n "$(MILVUS)" ]; then tools/milvus.py fetch; else echo "test: MILVUS=1 fetches a Milvus server, too; without one its tests are left out"; fi
	@{ swift test -c release --scratch-path $(TEST_BUILD) --skip-build; echo $$? > $(TEST_BUILD)/status; } 2>&1 | tee $(TEST_BUILD)/log
	@status=$$(cat $(TEST_BUILD)/status); test $$status = 0 || { printf '\nWhat failed:\n'; grep -A 20 '^✘' $(TEST_BUILD)/log | tail -n 400; exit $$status; }

bench: build ## measure against the peers (ONLY=encoder,text runs some; MILLION=1 adds the search among a million vectors)
	@for name in $(BENCH_WEIGHTS); do $(SENSORIUM) models pull $$name || echo "bench: $$name could not be fetched" >&2; done
	@Benchmarks/run.sh $(SENSORIUM) $(if $(ONLY),--only $(ONLY)) $(if $(MILLION),--million) $(BENCH)

fuzz: build ## throw damaged files and requests at parsers and service (MINUTES=10)
	@$(SENSORIUM) models pull sensorium-clip-base && $(SENSORIUM) models pull smollm2-135m-instruct
	@python3 tools/fuzz.py --minutes $(or $(MINUTES),10) --sensorium $(SENSORIUM)

soak: build ## use the service, kill it now and then, and hold all answers against what is known (MINUTES=30)
	@$(SENSORIUM) models pull sensorium-clip-mini
	@python3 tools/soak.py --minutes $(or $(MINUTES),30) --sensorium $(SENSORIUM)

format: ## rewrite the Swift sources in the project's format
	swift format format --in-place --parallel --recursive Package.swift Sources Tests

lint: ## say where the format differs
	swift format lint --strict --parallel --recursive Package.swift Sources Tests

docs: build ## write MODELS.md from the catalogue
	$(SENSORIUM) models list --markdown > MODELS.md

man: ## write the manual page and the shells' completions to dist/
	@test -x $(SENSORIUM) || $(MAKE) build
	@mkdir -p dist
	$(SENSORIUM) manual > dist/sensorium.1
	@for shell in bash zsh fish; do $(SENSORIUM) --generate-completion-script $$shell > dist/sensorium.$$shell || exit 1; done

install: man ## install the binary, the manual page and completions under PREFIX (after `make build`; may be run with sudo)
	install -D -m 755 $(SENSORIUM) $(DESTDIR)$(PREFIX)/bin/sensorium
	install -d $(DESTDIR)$(PREFIX)/share/sensorium/models
	cp -R $(BUILD)/release/Sensorium_Catalog.resources/Shipped/. $(DESTDIR)$(PREFIX)/share/sensorium/models/
	install -d $(DESTDIR)$(PREFIX)/share/sensorium/page
	cp -R $(BUILD)/release/Sensorium_HTTPService.resources/WebUI/. $(DESTDIR)$(PREFIX)/share/sensorium/page/
	install -D -m 644 dist/sensorium.1 $(DESTDIR)$(PREFIX)/share/man/man1/sensorium.1
	install -D -m 644 dist/sensorium.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/sensorium
	install -D -m 644 dist/sensorium.zsh $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_sensorium
	install -D -m 644 dist/sensorium.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/sensorium.fish

clean: ## remove what was built and the demo's folder
	rm -rf $(BUILD) dist demo
