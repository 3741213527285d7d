"""PromptQualityAssessor: how good a prompt is: measured, else predicted from earlier runs, else by rules; named so."""

from collections.abc import Sequence
from functools import cached_property
from typing import get_args

import numpy as np

from neuroforge.contracts.prompt_worth import Assessment
from neuroforge.contracts.prompts import Delimiter, PromptProgram
from neuroforge.contracts.rules import Estimate
from neuroforge.prompts.analyse import ASPECTS, analyse_by_rules
from neuroforge.prompts.earlier import EvaluatedProgram
from neuroforge.prompts.predict import FEWEST_RUNS, Floats, Predictor, fit_predictor
from neuroforge.prompts.program import program_id
from neuroforge.prompts.render import to_text
from neuroforge.prompts.show import count_shown
from neuroforge.prompts.space import TaskKind

MEASURED_COVERAGE = 0.95
"""Of the intervals of estimates."""


class PromptQualityAssessor:
    """Assesses prompts of one kind of task by what programs got in earlier runs on this machine."""

    def __init__(self, kind: TaskKind, earlier: Sequence[EvaluatedProgram] = ()) -> None:
        """Runs of other kinds are learned from as well: the kind is a feature."""
        self._kind = kind
        self._runs = _by_run(earlier)

    def score(self, prompt: PromptProgram, measured: Estimate | None = None) -> Assessment:
        """Return the score of a prompt, 0..1. `measured` is what it got on examples."""
        if measured is not None:
            return _measured(measured)
        if self._levels is None:
            return self._heuristic(score_by_rules(prompt, self._kind), "")
        value = self._levels.predict(features_of(prompt, self._kind))
        return _predicted(value, self._levels, (0.0, 1.0))

    def score_improvement(
        self, prompt: PromptProgram, optimized: PromptProgram, measured: Estimate | None = None
    ) -> Assessment:
        """Return the score of `optimized` less that of `prompt`, -1..1. `measured` is their paired difference."""
        if measured is not None:
            return _measured(measured)
        if self._gains is None:
            gain = score_by_rules(optimized, self._kind) - score_by_rules(prompt, self._kind)
            return self._heuristic(gain, "difference of ")
        value = self._gains.predict(features_of(optimized, self._kind) - features_of(prompt, self._kind))
        return _predicted(value, self._gains, (-1.0, 1.0))

    @cached_property
    def _levels(self) -> Predictor | None:
        """Of scores."""
        return _fit_levels(self._runs)

    @cached_property
    def _gains(self) -> Predictor | None:
        """Of scores less the seed's."""
        return _fit_gains(self._runs)

    def _heuristic(self, value: float, what: str) -> Assessment:
        note = (
            f"{what}what rules about prompts say, which no result here confirms: there are {len(self._runs)} earlier "
            f"runs with scores, and {FEWEST_RUNS} are needed to predict; examples would measure it"
        )
        return Assessment(basis="heuristic", is_measured=False, score=value, n=0, note=note)


def score_by_rules(program: PromptProgram, kind: TaskKind) -> float:
    """Return the mean over aspects of what rules find, 0..1; 1 = no fault was found."""
    scores = {one.aspect: one.score for one in analyse_by_rules(program, kind)}
    return sum(scores[aspect] for aspect in ASPECTS) / len(ASPECTS)


def features_of(program: PromptProgram, kind: TaskKind | str | None) -> Floats:
    """Return (n_features,) of structure, lengths, decoding, rules and kind of task."""
    shown = program.demonstrations
    is_turns = program.style.demonstrations == "turns"
    findings = {one.aspect: one.score for one in analyse_by_rules(program, _known_kind(kind))}
    return np.array(
        [
            bool(program.role),
            len(program.constraints),
            bool(program.reasoning_cue),
            bool(program.output_format),
            bool(program.answer_cue),
            bool(shown),
            np.log1p(count_shown(program)),
            program.n_nearest is not None,
            sum(one.is_bootstrapped for one in shown) / max(1, len(shown)),
            bool(shown) and is_turns,
            np.log1p(len(program.instruction.split())),
            np.log1p(len(to_text(program).split())),
            program.style.placement == "system",
            bool(program.verbalizer),
            program.calibrate,
            np.log(program.n_samples),
            program.decoding.temperature,
            *(program.style.delimiter == one for one in get_args(Delimiter)),
            *(findings[aspect] for aspect in ASPECTS),
            *(kind == one for one in get_args(TaskKind)),
        ],
        dtype=np.float64,
    )


def _known_kind(kind: TaskKind | str | None) -> TaskKind:
    return next((one for one in get_args(TaskKind) if one == kind), "text")


class _Run:
    """Programs of one run, the seed first, with their scores by block."""

    def __init__(self, kind: str | None) -> None:
        self.kind = kind
        self.programs: dict[str, PromptProgram] = {}
        self.scores: dict[str, dict[int, tuple[float, int]]] = {}

    def add(self, row: EvaluatedProgram, score: float) -> None:
        key = program_id(row.program)
        self.programs[key] = row.program
        self.scores.setdefault(key, {})[row.block] = (score, row.n_items)

    def mean(self, key: str, blocks: Sequence[int]) -> float:
        told = [self.scores[key][one] for one in blocks]
        return float(np.average([score for score, _ in told], weights=[n for _, n in told]))


def _by_run(earlier: Sequence[EvaluatedProgram]) -> list[_Run]:
    runs: dict[str, _Run] = {}
    for row in earlier:
        if row.score is not None:
            runs.setdefault(row.run, _Run(row.kind)).add(row, row.score)
    return list(runs.values())


def _fit_levels(runs: Sequence[_Run]) -> Predictor | None:
    rows = [
        (features_of(program, run.kind), run.mean(key, list(run.scores[key])), place)
        for place, run in enumerate(runs)
        for key, program in run.programs.items()
    ]
    return _fit(rows, has_offset=True)


def _fit_gains(runs: Sequence[_Run]) -> Predictor | None:
    """On what each program got over its run's seed, on the blocks that both saw."""
    rows = []
    for place, run in enumerate(runs):
        seed, *others = run.programs
        start = features_of(run.programs[seed], run.kind)
        for key in others:
            common = [one for one in run.scores[key] if one in run.scores[seed]]
            if common:
                gain = run.mean(key, common) - run.mean(seed, common)
                rows.append((features_of(run.programs[key], run.kind) - start, gain, place))
    return _fit(rows, has_offset=False)


def _fit(rows: Sequence[tuple[Floats, float, int]], has_offset: bool) -> Predictor | None:
    if not rows:
        return None
    features, targets, runs = zip(*rows, strict=True)
    return fit_predictor(np.array(features), np.array(targets), np.array(runs), has_offset)


def _measured(found: Estimate) -> Assessment:
    return Assessment(
        basis="measured",
        is_measured=True,
        score=found.mean,
        low=found.low,
        high=found.high,
        coverage=MEASURED_COVERAGE,
        n=found.n,
        note=f"measured on {found.n} examples",
    )


def _predicted(value: float, by: Predictor, bounds: tuple[float, float]) -> Assessment:
    score, low, high = np.clip([value, value - by.reach, value + by.reach], *bounds).tolist()
    note = (
        f"predicted, not measured: from {by.n_runs} earlier runs on this machine; intervals like this held what was "
        f"measured in {by.coverage:.0%} of runs left out"
    )
    return Assessment(
        basis="predicted",
        is_measured=False,
        score=score,
        low=low,
        high=high,
        coverage=by.coverage,
        n=by.n_runs,
        note=note,
    )
