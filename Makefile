# What a developer types. `make` lists it all.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c

PYTHON ?= python3
REALDATA ?=
STORE ?= demo-results
FLOORS := bench data foundation pretrain results stats tasks training
BIN := .venv/bin
# rpy2 needs R to be built against.
WITH_R := $(shell command -v R > /dev/null && echo ,r)
EXTRAS := demo,dev$(WITH_R)
# Named after the extras, so that R found later is not missed.
READY := .venv/ready-with-$(EXTRAS)

# Two workers' OpenMP threads fight for the same cores and wait by spinning, so each worker gets one thread.
WORKERS ?= auto
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest -n $(WORKERS) --maxprocesses 8 --dist worksteal \
	$(if $(REALDATA),--realdata='$(abspath $(REALDATA))')

.DEFAULT_GOAL := help
.PHONY: help setup demo proof proof-boxes proof-perceptual proof-kermany proof-ifa ablation-ifa ablation-mlvicx test check format smoke bench lock clean

help: ## list what make can do
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## create .venv with pinned versions; does nothing when nothing changed

$(READY): pyproject.toml setup.py constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo 'cxrbench needs Python 3.11 or later: make setup PYTHON=python3.11' >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt uv
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --constraint constraints.txt --editable '.[$(EXTRAS)]'
	mkdir -p .typing/cxrbench
	for floor in $(FLOORS); do ln -sfn ../../$$floor .typing/cxrbench/$$floor; done
	touch $(READY)

demo: setup ## compare two encoders on synthetic radiographs, then print the table (STORE=folder)
	$(BIN)/cxrbench run --encoder efficientnet_lite0_imagenet,efficientnet_lite0_scratch --task chexpert \
		--protocol frozen --data phantom:n=3600,size=224 --fractions 1,10,50 --store $(STORE)
	$(BIN)/cxrbench table --store $(STORE)
	$(BIN)/cxrbench compare efficientnet_lite0_imagenet efficientnet_lite0_scratch --task chexpert --store $(STORE)

proof: setup ## pretrain on synthetic radiographs, and test whether that beats starting from scratch
	benchmarks/proofs/phantom.sh

proof-boxes: setup ## the same for detection and segmentation: tables ifa-9 and mlvicx-3, figures
	benchmarks/proofs/boxes_and_masks.sh

proof-perceptual: setup ## the same as perceptual losses: tables ifa-10 and chess, figures
	benchmarks/proofs/perceptual.sh

proof-kermany: setup ## the same on real radiographs of children: DATA=folder of chest_xray
	benchmarks/proofs/kermany.sh

proof-ifa: setup ## on from one MoCo v2 with IFA and without, three seeds each
	benchmarks/proofs/ifa.sh

ablation-ifa: setup ## IFA after block 1, 2, 3 or 4: table ifa-5
	benchmarks/proofs/ifa_blocks.sh

ablation-mlvicx: setup ## the losses of MLVICX, one by one and together: table mlvicx-4
	benchmarks/proofs/mlvicx_losses.sh

test: setup ## run the tests; REALDATA=folder adds those on real radiographs
	$(PYTEST)

check: setup ## lint, formatting, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

format: setup ## let ruff reformat and fix what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

smoke: setup ## build the wheel, install it away from the sources, and use it there
	rm -rf build dist
	$(BIN)/python -m build --wheel --no-isolation .
	$(BIN)/python -m venv --without-pip build/smoke
	$(BIN)/uv pip install --quiet --python build/smoke/bin/python --no-deps dist/*.whl
	@# A .pth file inside .venv is not read from here, so the sources stay out of sight.
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
		> build/smoke/lib/$$(ls build/smoke/lib)/site-packages/dependencies.pth
	cd build/smoke; bin/cxrbench --version; bin/cxrbench --help > /dev/null
	cd build/smoke; for kind in datasets encoders tasks; do bin/cxrbench ls $$kind; done

bench: setup ## side-by-side speed measurements
	for script in benchmarks/bench_*.py; do $(BIN)/python $$script; done

lock: setup ## pin the newest versions that work together in constraints.txt
	$(BIN)/uv pip compile pyproject.toml --upgrade --universal --python-version 3.11 \
		$(foreach extra,demo dev r,--extra $(extra)) \
		--no-header --no-annotate --no-emit-index-url --no-emit-find-links --quiet --output-file constraints.txt

clean: ## remove .venv and everything built
	rm -rf .venv .typing build dist cxrbench.egg-info .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
