"""StructureEngine: propose structures -> evaluate each round on the next block -> model -> fine-tune the best.

Each round goes to another block of items, which the model accounts for, so that what a choice is worth is learned
over many items. The best structures then start PromptEvolutionEngine's races, which know all that was measured.
"""

from collections.abc import Sequence

import numpy as np

from neuroforge.contracts.optimize import PromptTemplate
from neuroforge.contracts.prompts import Demonstration, PromptCandidate, PromptProgram
from neuroforge.contracts.rules import Estimate
from neuroforge.prompts.attribution import attribute
from neuroforge.prompts.earlier import EvaluatedProgram
from neuroforge.prompts.evolution_state import Milestone, check_start, rng_of, rng_state
from neuroforge.prompts.evolve import Blocks, PromptEvolutionEngine
from neuroforge.prompts.litter import Child
from neuroforge.prompts.program import program_id
from neuroforge.prompts.propose_structures import STRATEGIES, Proposal, Tried, propose
from neuroforge.prompts.render import to_text
from neuroforge.prompts.space import PromptSpace
from neuroforge.prompts.stop import milestone_of, why_over
from neuroforge.prompts.structure_model import Ints, StructureModel, fit_structure_model
from neuroforge.prompts.structure_state import StructureRow, StructureSettings, StructureState, recode, rows_of
from neuroforge.prompts.structures import structures_of
from neuroforge.statistics.interval import normal_quantile

_OPERATORS = ("seed", "surrogate", *STRATEGIES)
"""Of candidates that are structures; what fine-tuning makes differs in more than slots can tell."""
_FEWEST_ROUNDS = 3
"""That the structure's share of the budget is spread over."""
_N_LEADERS = 2
"""Best ones that see the next round's items too."""
_SHARE_OF_FIRST_RACE = 0.25
"""Of what fine-tuning may spend, on telling the best structures apart."""
_MOST_ROWS, _MOST_EARLIER, _MOST_EARLIER_OF_A_TASK = 400, 200, 50
"""Last rows of this task, and rows of earlier ones, that are learned from: a fit takes time by their cube."""


class StructureEngine(PromptEvolutionEngine):
    """A search over structures, then over wordings and examples of the best; asked and told as its base."""

    _state: StructureState
    _settings: StructureSettings

    def __init__(self, settings: StructureSettings, space: PromptSpace, blocks: Blocks, state: StructureState) -> None:
        """As the base."""
        super().__init__(settings, space, blocks, state)
        pool = [one for one in state.pool if not one.is_bootstrapped]
        rng = np.random.default_rng(settings.seed)
        self._structures = structures_of(space, state.candidates[0].program, pool, state.instructions, rng)
        names = tuple(slot.name for slot in self._structures.slots)
        if state.slots != names:
            self._change(earlier=recode(state.earlier, state.slots, names), slots=names)

    @classmethod
    def begin(  # type: ignore[override]  # it has settings of its own
        cls,
        settings: StructureSettings,
        space: PromptSpace,
        blocks: Blocks,
        seed: PromptProgram,
        pool: Sequence[Demonstration],
        suggestions: Sequence[PromptProgram] = (),
        earlier: Sequence[EvaluatedProgram] = (),
    ) -> "StructureEngine":
        """Return a search that has asked nothing yet.

        Args:
            suggestions: Their instructions are choices beside the bank's.
            earlier: What other tasks got for programs, the latest first.
        Raises:
            DataError: As the base.
        """
        check_start(settings, blocks, seed)
        candidate = PromptCandidate(id=program_id(seed), program=seed, operator="seed")
        state = StructureState(
            candidates=(candidate,),
            pool=tuple(pool),
            rng=rng_state(rng_of({}, settings.seed)),
            instructions=tuple(one.instruction for one in suggestions),
        )
        engine = cls(settings, space, blocks, state)
        engine._change(earlier=engine._rows_of_earlier(earlier))
        return engine

    def template(self, domain: str, winner: PromptCandidate) -> PromptTemplate:
        """Return the winner with what each of its parts is worth, by all structures that were measured."""
        model, codes = self._model(), self._codes_of(winner)
        rng = np.random.default_rng(self._settings.seed)
        slots, pairs = attribute(model, self._structures, codes, rng)
        mean, covariance = model.predict(codes[None, :])
        reach = normal_quantile(0.95) * max(0.0, float(covariance[0, 0])) ** 0.5
        n_items = int(model.rows.n_items[model.rows.tasks == 0].sum())
        fitness = Estimate(mean=float(mean[0]), low=float(mean[0]) - reach, high=float(mean[0]) + reach, n=n_items)
        return PromptTemplate(
            domain=domain,
            program=winner.program,
            text=to_text(winner.program),
            fitness=fitness,
            slots=slots,
            pairs=pairs,
            n_structures=len(self._tried_ids()),
            n_earlier=len(self._state.earlier),
        )

    def _step(self) -> None:
        if self._state.is_tuning:
            super()._step()
            return
        rng = rng_of(self._state.rng, self._settings.seed)
        model = self._model()
        if self._state.evaluations:
            self._rank(model)
            if self._is_settled():
                self._hand_over()
                return
            self._change(generation=self._state.generation + 1)
        self._begin_round(model, rng)
        self._change(rng=rng_state(rng))

    def _rank(self, model: StructureModel) -> None:
        """Put those first of which the model expects most; of equal ones the earlier tried."""
        state, ids = self._state, self._tried_ids()
        expected = model.mean(np.array([self._codes_of(self._standing.known[one]) for one in ids]))
        ranked = [ids[int(place)] for place in np.argsort(-expected, kind="stable")]
        before = state.elite[0] if state.elite else ids[0]
        # The model's gain, not that of a few items, of which the best is the luckiest.
        gain = float(expected.max() - expected[ids.index(before)])
        milestone = Milestone(
            **{**dict(milestone_of(state, self._standing, ranked[0], self._settings.seed)), "gain": gain}
        )
        self._change(
            elite=tuple(ranked[: self._settings.n_survivors]),
            n_stalled=state.n_stalled + 1 if ranked[0] == before else 0,
            history=(*state.history, milestone),
        )

    def _is_settled(self) -> bool:
        """Whether the structure has had its share, or one more round is not worth its calls."""
        state, settings = self._state, self._settings
        if settings.max_generations is not None and state.generation + 1 >= settings.share * settings.max_generations:
            return True
        n_next = (self._round_size() + _N_LEADERS) * len(self._blocks[0])
        if settings.max_calls is not None and state.n_calls + n_next > settings.share * settings.max_calls:
            return True
        return why_over(state, settings) is not None

    def _begin_round(self, model: StructureModel, rng: np.random.Generator) -> None:
        state = self._state
        ids = self._tried_ids()
        codes = np.array([self._codes_of(self._standing.known[one]) for one in ids], dtype=np.int64)
        tried = Tried(codes, model.mean(codes))
        proposals = propose(self._settings.strategy, model, tried, self._structures, self._round_size(), rng)
        cohort = state.elite[:_N_LEADERS] if state.evaluations else (ids[0],)
        self._change(cohort=cohort, children=(), block=state.generation % len(self._blocks))
        for one in proposals:
            self._add_structure(one, ids)

    def _add_structure(self, proposal: Proposal, tried_ids: Sequence[str]) -> None:
        parent = 0 if proposal.parent is None else proposal.parent
        self._add_child(Child(self._structures.decode(proposal.codes), proposal.operator, (tried_ids[parent],)))

    def _round_size(self) -> int:
        """New structures of a round: fewer where the budget would not take several rounds."""
        settings = self._settings
        if settings.max_calls is None:
            return settings.population
        affordable = int(settings.share * settings.max_calls / (_FEWEST_ROUNDS * len(self._blocks[0])))
        return max(2, min(settings.population, affordable - _N_LEADERS))

    def _hand_over(self) -> None:
        """Race the best structures and the seed over as many blocks as a part of what is left pays for."""
        state, settings = self._state, self._settings
        cohort = tuple(dict.fromkeys((*state.elite, state.candidates[0].id)))
        depth = 1
        if settings.max_calls is not None:
            left = _SHARE_OF_FIRST_RACE * (settings.max_calls - state.n_calls)
            depth = max(1, min(len(self._blocks), int(left / (len(cohort) * len(self._blocks[0])))))
        self._change(is_tuning=True, phase="racing", cohort=cohort, children=(), block=0, depth=depth, n_stalled=0)

    def _tried_ids(self) -> list[str]:
        """Structures that were measured; before that the seed."""
        found = [
            one.id for one in self._state.candidates if one.operator in _OPERATORS and self._standing.fitness[one.id]
        ]
        return found or [self._state.candidates[0].id]

    def _codes_of(self, candidate: PromptCandidate) -> Ints:
        return self._structures.encode(candidate.program)

    def _rows_of_earlier(self, earlier: Sequence[EvaluatedProgram]) -> tuple[StructureRow, ...]:
        """At most so many of each task, and in all, that fitting stays quick."""
        tasks: dict[str, int] = {}
        found: list[StructureRow] = []
        for one in earlier:
            task = tasks.setdefault(one.run, len(tasks) + 1)
            if sum(row.task == task for row in found) < _MOST_EARLIER_OF_A_TASK:
                codes = tuple(self._structures.encode(one.program).tolist())
                row = StructureRow(codes=codes, task=task, block=one.block, mean=one.fitness, n_items=one.n_items)
                found.append(row)
        return tuple(found[:_MOST_EARLIER])

    def _model(self) -> StructureModel:
        """What all structures that were measured say, and those of earlier tasks."""
        rows: list[StructureRow] = []
        for told in self._state.evaluations:
            measured = [value for value in told.fitness if value is not None]
            candidate = self._standing.known[told.candidate_id]
            if candidate.operator in _OPERATORS and measured:
                codes = tuple(self._codes_of(candidate).tolist())
                mean = float(np.mean(measured))
                rows.append(StructureRow(codes=codes, task=0, block=told.block, mean=mean, n_items=len(measured)))
        together = [*self._state.earlier, *rows[-_MOST_ROWS:]]
        return fit_structure_model(rows_of(together, len(self._structures.slots)), self._structures.sizes)
