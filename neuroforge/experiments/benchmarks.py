"""Suite name -> ExperimentConfig; results -> BenchmarkScore of each variant on each of the suite's datasets."""

import asyncio
import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path

from neuroforge.contracts.analysis import BenchmarkScore
from neuroforge.contracts.experiment_run import MatrixResult
from neuroforge.contracts.experiments import DatasetSource, ExperimentConfig
from neuroforge.errors import ConfigError
from neuroforge.experiments.analysis.metrics import measure_metrics
from neuroforge.experiments.analysis.summaries import Scope, summarise
from neuroforge.experiments.config import parse_config
from neuroforge.experiments.suites import SUITES, Suite, SuiteMember
from neuroforge.experiments.table import CellTable, read_cells


class BenchmarkSuite:
    """The named suites: what to ask, and what the answers say. Holds no state."""

    def config(self, suite: str, models: Sequence[str], limit: int | None = None, seed: int = 0) -> ExperimentConfig:
        """Return the experiment that asks a suite: greedy, once, in the published form where there is one.

        Args:
            suite: A name of SUITES; `-` will do for `_`.
            limit: Questions of each dataset, drawn by the seed; None = all.
        Raises:
            ConfigError: No such suite (names the nearest); no model, or a limit below 1.
        """
        found = find_suite(suite)
        sources = [{"name": member.dataset, "n": limit, "form": "published"} for member in found.members]
        return parse_config(
            {
                "name": f"benchmark {found.name}",
                "models": tuple(models),
                "datasets": tuple(sources),
                "metrics": ("quality",),
                "choice_by": found.choice_by,
                "seed": seed,
            }
        )

    async def run_benchmarks(self, results: MatrixResult) -> tuple[BenchmarkScore, ...]:
        """Return the mean score of each variant on each registry dataset of the results that a suite holds.

        Whatever the experiment was called: one that asks `mmlu` otherwise than the suite does says so in `protocol`.
        No such dataset: empty.

        Raises:
            DataError: cells.parquet cannot be read.
        """
        return await asyncio.to_thread(lambda: tuple(score_benchmarks(results)))


def find_suite(name: str) -> Suite:
    """Return the suite of that name.

    Raises:
        ConfigError: There is none; names the nearest, or all.
    """
    plain = name.strip().lower().replace("-", "_").replace(" ", "_")
    if plain in SUITES:
        return SUITES[plain]
    near = difflib.get_close_matches(plain, SUITES, n=2) or list(SUITES)
    raise ConfigError(f"no benchmark suite is called {name!r}; known are {', '.join(near)}")


def score_benchmarks(results: MatrixResult) -> Iterator[BenchmarkScore]:
    """Yield what `BenchmarkSuite.run_benchmarks` returns, dataset after dataset."""
    config = results.plan.config
    members = {member.dataset: (suite, member) for suite in SUITES.values() for member in suite.members}
    asked = [source for source in config.datasets if source.uploaded is None and source.name in members]
    if not asked:
        return
    table = read_cells(Path(results.cells), [variant.id for variant in results.plan.variants])
    for source in asked:
        if source.name in table.datasets:
            yield from _of_dataset(table, source, *members[source.name], config)


def _of_dataset(
    table: CellTable, source: DatasetSource, suite: Suite, member: SuiteMember, config: ExperimentConfig
) -> Iterator[BenchmarkScore]:
    quality = measure_metrics(table, ("quality",))[0]
    protocol = "; ".join((member.protocol, *_departures(source, suite, config)))
    for summary in summarise(table, quality, Scope(dataset=source.name), config.seed):
        yield BenchmarkScore(
            suite=suite.name,
            dataset=source.name,
            variant_id=summary.variant_id,
            estimate=summary.estimate,
            n_scored=summary.n_scored,
            n_errors=summary.n_errors,
            protocol=protocol,
        )


def _departures(source: DatasetSource, suite: Suite, config: ExperimentConfig) -> Iterator[str]:
    """How this experiment asks otherwise than its suite."""
    if source.form != "published":
        yield "here in our own form, not the published one"
    if config.choice_by != suite.choice_by:
        yield f"here choices are read by {config.choice_by}"
    if config.scorer is not None:
        yield f"here scored by {config.scorer}"
    if len(config.prompts) > 1 or config.prompts[0].template != "{{ query }}" or config.prompts[0].system is not None:
        yield "here through the experiment's own prompts"
    if any(decoding.temperature > 0 for decoding in config.decodings):
        yield "here sampled"
    if source.n is not None:
        yield f"on {source.n} drawn questions"
