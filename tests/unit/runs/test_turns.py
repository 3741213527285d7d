from neuroforge.runs.turns import Turns


def begun(turns: Turns, *run_ids: str) -> list[str]:
    """What has begun by now, in order; the list goes on growing."""
    found: list[str] = []
    for run_id in run_ids:
        turns.wait(run_id, lambda run_id=run_id: found.append(run_id))  # type: ignore[misc]
    return found


def test_who_came_first_begins_first_whatever_its_kind() -> None:
    turns = Turns(1)
    found = begun(turns, "exp-1", "opt-1", "exp-2")
    assert found == ["exp-1"]
    turns.leave("exp-1")
    turns.leave("opt-1")
    assert found == ["exp-1", "opt-1", "exp-2"]


def test_as_many_run_as_are_allowed() -> None:
    assert begun(Turns(2), "a", "b", "c") == ["a", "b"]


def test_who_withdraws_never_begins() -> None:
    turns = Turns(1)
    found = begun(turns, "a", "b", "c")
    assert (turns.withdraw("b"), turns.withdraw("a")) == (True, False)
    turns.leave("a")
    assert found == ["a", "c"]


def test_what_runs_already_takes_a_turn() -> None:
    turns = Turns(1)
    turns.take("a")
    found = begun(turns, "b")
    assert found == []
    turns.leave("a")
    assert found == ["b"]
