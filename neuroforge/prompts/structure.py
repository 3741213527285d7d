"""PromptNAS: domain -> space -> structure search -> fine-tuning -> PromptTemplate with the worth of its parts."""

from collections.abc import Sequence
from dataclasses import dataclass

from neuroforge.contracts.optimize import OptimizeConfig, PromptTemplate
from neuroforge.contracts.prompts import PromptProgram
from neuroforge.prompts.earlier import EvaluatedProgram
from neuroforge.prompts.evaluate import Evaluator
from neuroforge.prompts.evolution_state import EvolutionSettings, EvolutionState
from neuroforge.prompts.prepare import Prepared
from neuroforge.prompts.purse import N_FINALISTS
from neuroforge.prompts.search import SaveState, SearchDriver, search
from neuroforge.prompts.space import PromptSpace
from neuroforge.prompts.structure_engine import StructureEngine
from neuroforge.prompts.structure_state import StructureSettings, StructureState


def structure_settings(base: EvolutionSettings, config: OptimizeConfig, prepared: Prepared) -> StructureSettings:
    """Return the settings of a run. Calls that selection needs are not the search's to share out."""
    limit, n_selection = config.budget.max_calls, (N_FINALISTS + 1) * len(prepared.splits["selection"])
    return StructureSettings(
        **{
            **vars(base),
            "max_calls": None if limit is None else max(0, limit - n_selection * prepared.seed.n_samples),
            "strategy": "regularized_evolution" if config.strategy == "nas_evolution" else "tpe",
        }
    )


def _keep_nothing(_state: EvolutionState) -> None:
    """The search is not to be gone on with."""


@dataclass(frozen=True)
class PromptNAS:
    """Searches the architecture of a prompt: which sections, with which of the bank's words, put how on the page."""

    settings: StructureSettings
    space: PromptSpace
    prepared: Prepared
    suggestions: Sequence[PromptProgram] = ()
    """Programs whose instructions are choices beside the bank's."""
    earlier: Sequence[EvaluatedProgram] = ()
    """What programs got in earlier runs, latest first; those of the domain are learned from."""

    async def search_optimal_prompt_architecture(
        self,
        task_domain: str,
        evaluator: Evaluator,
        drive: SearchDriver = search,
        save: SaveState = _keep_nothing,
    ) -> PromptTemplate:
        """Return the best structure for the domain, fine-tuned, with the worth of its parts. Nothing is proven yet.

        Args:
            task_domain: Kind of task (`TaskKind`), by which earlier runs' rows are found.
            evaluator: Asks the model.
        Raises:
            DataError: No items, or the budget does not take one candidate through one block.
        """
        engine = self.begin(task_domain)
        await drive(engine, evaluator, None, save)
        return engine.template(task_domain, engine.ranking()[0])

    def begin(self, task_domain: str) -> StructureEngine:
        """Return a search of the domain that has asked nothing yet. Raises DataError: as above."""
        prepared = self.prepared
        earlier = [one for one in self.earlier if one.kind == task_domain]
        return StructureEngine.begin(
            self.settings, self.space, prepared.blocks, prepared.seed, prepared.pool, self.suggestions, earlier
        )

    def resume(self, state: StructureState) -> StructureEngine:
        """Return the search as the state has it."""
        return StructureEngine(self.settings, self.space, self.prepared.blocks, state)
