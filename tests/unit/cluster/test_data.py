"""What Ray Data's stage does with a batch, without Ray; and errors out of a Data job."""

from pathlib import Path

import numpy as np
import pytest
from ray.exceptions import RayTaskError, UserCodeException

from cluster.cells import GatewayAddress
from cluster.data import AskActor, as_ours, read_replies
from neuroforge.contracts.experiment_run import Lane, LaneModel
from neuroforge.contracts.experiments import Budget, Cell, CellBatch, CellReply, CellRequest
from neuroforge.errors import DataError, EngineError
from neuroforge.experiments.journal import JournalIndex
from neuroforge.experiments.ledger import Ledger
from neuroforge.experiments.queue import QueueWriter, batch_places
from tests.counting_engine import counting


def lane(directory: Path, n_cells: int = 2) -> Lane:
    Ledger.start(directory, Budget()).close()
    queue = QueueWriter(directory / "queue" / "000.jsonl")
    for number in range(n_cells):
        cell = Cell(id=f"c{number}", item_id="q", dataset="d", variant_id="a", model_id="a")
        message = {"role": "user", "content": f"Question {number}"}
        request = CellRequest(cell=cell, messages=(message,), parameters={"seed": 0}, cache_key=f"k{number}")
        queue.append(CellBatch(model_id="a", requests=(request,)))
    queue.close()
    model = LaneModel(model_id="a", n_slots=2, n_slots_max=2)
    return Lane(
        directory=str(directory),
        queue=str(queue.path),
        writer="000001-000",
        n_batches=n_cells,
        n_cells=n_cells,
        models=(model,),
    )


def test_a_block_of_places_becomes_replies_that_are_journalled(tmp_path: Path) -> None:
    asked = lane(tmp_path)
    with counting(["a"]) as (engine, url):
        actor = AskActor(asked, GatewayAddress(url))
        found = actor({"offset": np.array(list(batch_places(Path(asked.queue))))})
        actor.close()
    replies = [CellReply.model_validate_json(one) for one in found["replies"]]
    assert [one.cell_id for one in replies] == ["c0", "c1"]
    assert list(found["disk_full"]) == ["", ""]
    assert engine.n_calls == 2
    assert list(JournalIndex(tmp_path).read(["c0", "c1"])) == replies


def test_an_actor_that_comes_back_asks_nothing_that_it_had_answered(tmp_path: Path) -> None:
    asked = lane(tmp_path)
    with counting(["a"]) as (engine, url):
        for _ in range(2):
            actor = AskActor(asked, GatewayAddress(url))
            found = actor({"offset": np.array(list(batch_places(Path(asked.queue))))})
            actor.close()
    assert engine.n_calls == 2
    assert len(found["replies"]) == 2


def test_a_directory_of_another_node_is_said(tmp_path: Path) -> None:
    asked = lane(tmp_path)
    away = Lane(**{**asked.model_dump(), "directory": str(tmp_path / "away")})
    with pytest.raises(DataError, match="run experiments from the head node"):
        AskActor(away, GatewayAddress("http://127.0.0.1:9"))


def test_our_own_error_is_found_in_what_ray_made_of_it() -> None:
    ours = DataError("no batch begins at byte 7")
    wrapped = UserCodeException("failed in a stage")
    wrapped.__cause__ = RayTaskError("stage", "traceback", ours)
    assert as_ours(wrapped) is ours


def test_an_error_of_rays_is_said_to_be_one() -> None:
    told = as_ours(ValueError("inner"))
    assert isinstance(told, EngineError)
    assert "Ray Data ended the run (ValueError)" in told.message


@pytest.mark.parametrize("end", ["\u2028", "\u2029", "\u0085", "\x0b", "\x1c", "\n"])
def test_what_a_model_says_may_hold_line_ends_of_any_kind(end: str) -> None:
    said = [CellReply(cell_id=f"c{n}", cache_key="k", reply=f"a{end}b", at_s=1.0) for n in range(2)]
    assert read_replies("\n".join(one.model_dump_json(exclude_defaults=True) for one in said)) == tuple(said)
    assert read_replies("") == ()
