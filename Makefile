# The commands people and CI run. Everything is installed into .venv; nothing needs root, Docker or a running server.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
# processes of `make test`, each with servers of its own; one more than cores, since some always wait
WORKERS ?= 3

.PHONY: setup check test prove prove-dask bench results demo serve coupons loadtest openapi clean

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml constraints.txt deploy/setup.sh
	@PYTHON="$(PYTHON)" VENV="$(VENV)" sh deploy/setup.sh
	@touch $@

check: setup            ## lint, types, import layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: setup             ## the tests, against real servers, under 8 minutes
	$(BIN)/python -m pytest -m "not prove" -n $(WORKERS) --dist loadfile --durations=15 --durations-min=2 $(ARGS)

prove: setup            ## the long proofs; writes docs/performance.md
	$(BIN)/python -m tests.prove $(ARGS)

prove-dask: setup       ## the proof of `offing train --dask`; Dask and pandas are installed beside, for it alone
	$(BIN)/python -m pip install -q --disable-pip-version-check --upgrade --target .offing/dask -c constraints.txt \
		'dask[array]' distributed pandas
	PYTHONPATH=.offing/dask $(BIN)/python -m tests.prove -k test_dask_fit $(ARGS)

bench: setup            ## how fast: beside a bare FastAPI route and a hand-rolled service (ARGS=--quick: 90 s)
	$(BIN)/python -m loadtests.bench $(ARGS)

results: setup          ## what the scorer is worth, on real data and in worlds of known truth; writes docs/results.md
	$(BIN)/python -m loadtests.results $(ARGS)

demo: setup             ## the main job, everything embedded (ARGS=--once to exit afterwards)
	$(BIN)/python -m loadtests.demo $(ARGS)

serve: setup            ## the service on http://127.0.0.1:8080, embedded, with the example campaigns
	$(BIN)/offing serve $(ARGS)

coupons: setup          ## real people: coupon answers through the public doors, a model, its AUC
	$(BIN)/python -m loadtests.coupons $(ARGS)

loadtest: setup         ## the world's traffic against a budget: passed (0), failed (1) or invalid (2)
	$(BIN)/python -m loadtests.load.command $(ARGS)

openapi: setup          ## write openapi.json from the code
	$(BIN)/python -m offers.api.openapi > openapi.json

clean:
	rm -rf .offing build *.egg-info
