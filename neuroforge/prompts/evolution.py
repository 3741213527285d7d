"""Evolution: engine, evaluator and proposer of one run, driven to the search's end or to its deadline, and saved."""

import asyncio
from pathlib import Path
from typing import TypeVar

import numpy as np
from pydantic import ValidationError

from neuroforge.contracts.optimize import OptimizeConfig, PromptTemplate
from neuroforge.contracts.prompts import PromptCandidate, PromptProgram
from neuroforge.errors import DataError
from neuroforge.prompts.directory import STATE
from neuroforge.prompts.evaluate import Evaluator
from neuroforge.prompts.evolution_state import EvolutionSettings, EvolutionState
from neuroforge.prompts.evolve import PromptEvolutionEngine
from neuroforge.prompts.improve import Failure, Proposer
from neuroforge.prompts.label_check import check_labels
from neuroforge.prompts.plan import make_purse, ways_of
from neuroforge.prompts.prepare import LARGEST_BLOCK, Prepared
from neuroforge.prompts.progress import ProgressTeller
from neuroforge.prompts.purse import N_FINALISTS
from neuroforge.prompts.render import to_text
from neuroforge.prompts.search import SearchDriver
from neuroforge.prompts.space import build_space
from neuroforge.prompts.structure import PromptNAS, structure_settings
from neuroforge.prompts.structure_engine import StructureEngine
from neuroforge.prompts.structure_state import StructureState
from neuroforge.prompts.suggest import Suggestions
from neuroforge.prompts.workspace import Workspace
from neuroforge.storage.files import write_whole

N_FAILURES = 3
"""Wrong answers that a model is shown, to reflect on."""
SLOWER = 1.5
"""Times the mean call of a search that one of selection and test takes: prompts that win mostly show more examples."""
TIME_IS_UP = "the budget of time is used up"

State = TypeVar("State", bound=EvolutionState)


class Evolution:
    """The search of a run, as the directory has it or anew."""

    def __init__(
        self,
        config: OptimizeConfig,
        prepared: Prepared,
        suggestions: Suggestions,
        workspace: Workspace,
        evaluator: Evaluator,
    ) -> None:
        """Make the parts. Raises DataError: The state in the directory is of another version."""
        self._config = config
        self._prepared = prepared
        self._workspace = workspace
        self._evaluator = evaluator
        self._has_writers = bool(suggestions.writers)
        self._is_checked = False
        items = [prepared.by_id[one] for block in prepared.blocks for one in block]
        ways = ways_of(config, prepared, evaluator.asker.target)
        self._space = build_space(prepared.seed, items, config.max_demonstrations, prepared.pool, ways)
        self.engine = self._make_engine(suggestions)
        self.proposer = Proposer(workspace.beside, suggestions.writers, self._failures)

    async def run(self, drive: SearchDriver, teller: ProgressTeller) -> None:
        """Search until it is over, or until what is left of the time is needed for selection and test."""
        path = self._workspace.directory / STATE
        proposer = self.proposer if self._has_writers else None
        try:
            async with asyncio.timeout(self._time_left_s(self.engine.state)) as limit:

                def save(state: EvolutionState) -> None:
                    write_whole(path, state.model_dump_json().encode())
                    self._check_labels(teller)
                    teller.see_state(state)
                    # A driver may save from a task of its own while this one is being cancelled.
                    if (left_s := self._time_left_s(state)) is not None and not limit.expired():
                        limit.reschedule(asyncio.get_running_loop().time() + left_s)

                await drive(self.engine, self._evaluator, proposer, save)
        except TimeoutError:
            if not limit.expired():
                raise
            self.engine.end(TIME_IS_UP)
            write_whole(path, self.engine.state.model_dump_json().encode())

    def template(self, winner: PromptCandidate, final: PromptProgram) -> PromptTemplate | None:
        """Return what the winner's parts are worth; None where structures were not searched. `final`: as tested."""
        if not isinstance(self.engine, StructureEngine):
            return None
        found = self.engine.template(self._space.kind, winner)
        return PromptTemplate(**{**dict(found), "program": final, "text": to_text(final)})

    def _make_engine(self, suggestions: Suggestions) -> PromptEvolutionEngine:
        config, prepared = self._config, self._prepared
        purse = make_purse(config, prepared, self._evaluator.asker.target.price, lambda: self._workspace.beside.spent)
        settings = EvolutionSettings(
            population=config.population,
            max_demonstrations=config.max_demonstrations,
            purse=purse,
            max_generations=config.n_generations,
            patience=config.patience * -(-LARGEST_BLOCK // len(prepared.blocks[0])),
            min_gain=config.min_gain,
            has_proposers=self._has_writers,
            seed=config.seed,
        )
        path, space = self._workspace.directory / STATE, self._space
        if config.strategy != "evolution":
            ours = structure_settings(settings, config, prepared)
            nas = PromptNAS(ours, space, prepared, suggestions.programs, self._workspace.earlier.rows)
            return nas.resume(_read_state(path, StructureState)) if path.exists() else nas.begin(space.kind)
        if path.exists():
            return PromptEvolutionEngine(settings, space, prepared.blocks, _read_state(path, EvolutionState))
        return PromptEvolutionEngine.begin(
            settings, space, prepared.blocks, prepared.seed, prepared.pool, suggestions.programs
        )

    def _time_left_s(self, state: EvolutionState) -> float | None:
        """Seconds that the search may still take: what selection and test will need is kept."""
        limit_s = self._config.budget.max_duration
        if limit_s is None:
            return None
        n_kept = (N_FINALISTS + 1) * len(self._prepared.splits["selection"]) + 2 * len(self._prepared.splits["test"])
        told = [one for one in state.evaluations if one.latency_s > 0]
        call_s = float(np.mean([one.latency_s for one in told])) / self._evaluator.concurrency if told else 0.0
        return max(0.0, limit_s - n_kept * SLOWER * call_s - self._workspace.watch.elapsed_s)

    def _check_labels(self, teller: ProgressTeller) -> None:
        """Once, when the seed has been through the first block."""
        seed, block = self.engine.state.candidates[0], self._prepared.blocks[0]
        is_first = any(one.candidate_id == seed.id for one in self.engine.state.evaluations)
        if self._is_checked or not is_first:
            return
        self._is_checked = True
        items = [self._prepared.by_id[one] for one in block]
        results = [self._evaluator.log.last(self._evaluator.asker.key(seed.program, one)) for one in items]
        teller.warnings += check_labels(self._prepared.answers, items, results)

    def _failures(self, candidate_id: str) -> tuple[Failure, ...]:
        """What the candidate got most wrong."""
        engine, evaluator = self.engine, self._evaluator
        fitness, program = engine.fitness_of(candidate_id), engine.state.candidate(candidate_id).program
        found = []
        for item_id in sorted(fitness, key=lambda one: fitness[one]):
            item = evaluator.items[item_id]
            known = evaluator.log.find(evaluator.asker.key(program, item))
            if known is not None and known.score is not None and known.score < 1.0 and item.references:
                found.append((item.query, known.reply or known.answer or "", item.references[0]))
        return tuple(found[:N_FAILURES])


def _read_state(path: Path, kind: type[State]) -> State:
    try:
        return kind.model_validate_json(path.read_text())
    except ValidationError as error:
        raise DataError(f"{path}: is no state of this version; use another directory") from error
