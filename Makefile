# Two commands matter: `make serve` and `make test`. Both set up what they need; both start from caches the second time.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
HAS_GPU := $(shell command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi -L 2>/dev/null | grep -q GPU && echo yes)
# vLLM and CUDA torch live in an environment of their own, beside the models (docs/decisions/020).
GPU_ENVIRONMENT := $(if $(HAS_GPU),gpu-environment,)
export RAY_USAGE_STATS_ENABLED = 0
export MLFLOW_DISABLE_TELEMETRY = true
export VLLM_NO_USAGE_STATS = 1
export HF_HUB_DISABLE_TELEMETRY = 1
export DO_NOT_TRACK = 1

.DEFAULT_GOAL := help
.PHONY: gpu-environment help serve dev stop test check test-services test-browser test-vllm benchmark benchmark-router benchmark-experiments benchmark-prompts clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-22s %s\n", $$1, $$2}'

$(VENV)/.created:
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.serve: pyproject.toml | $(VENV)/.created
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/.created
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

gpu-environment: $(VENV)/.serve
	$(BIN)/python -m cluster.vllm_env create --gpu

serve: $(VENV)/.serve $(GPU_ENVIRONMENT) ## Set up, fetch the default models, serve until Ctrl-C
	@exec $(BIN)/neuroforge serve

dev: $(VENV)/.serve $(GPU_ENVIRONMENT) ## Serve, and apply neuroforge.yaml again whenever it changes
	@exec $(BIN)/neuroforge dev

stop: $(VENV)/.serve ## Stop what `make serve` started
	@$(BIN)/neuroforge stop

check: $(VENV)/.dev ## Style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: $(VENV)/.dev ## Unit, contract, cluster and end-to-end tests, with the small model
	$(BIN)/pytest -n 2 tests/unit tests/contract tests/cluster tests/e2e

test-services: $(VENV)/.dev ## The storage tests against a real PostgreSQL
	$(BIN)/pytest -m services tests/services

test-browser: $(VENV)/.dev ## The reports in a headless Chromium (not in `make test`: apt-get install chromium chromium-driver)
	$(BIN)/pytest -m browser tests/browser

test-vllm: $(VENV)/.dev ## The vLLM engine on this CPU, in an environment of its own (several GB, minutes)
	$(BIN)/pytest -m vllm tests/vllm

benchmark: $(VENV)/.dev ## Measure speed as ratios; figures go to .neuroforge/benchmarks/
	$(BIN)/python -m tests.benchmarks.run

benchmark-router: $(VENV)/.dev ## Measure the router's learning; DATA=DIR of the public outcome sets, else generated ones
	$(BIN)/python -m tests.benchmarks.run_router $(if $(DATA),--data $(DATA),)

benchmark-experiments: $(VENV)/.dev ## Measure the experiments: whether intervals and tests keep what they promise
	$(BIN)/python -m tests.benchmarks.run_experiments

benchmark-prompts: $(VENV)/.dev ## Measure the optimisation of prompts; DATA=DIR of the public task sets
	$(BIN)/python -m tests.benchmarks.run_prompts $(if $(DATA),--data $(DATA),)

clean: ## Remove the environment, caches and build products (not the models nor the database)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
