import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from neuroforge.storage.outcomes import OutcomeStore, open_outcomes
from tests.unit.cluster.cli_runner import Cli
from tests.unit.loopback import Loopback, loopback
from tests.unit.storage.suite_outcomes import new

STATUS = {"version": 7, "rules_version": 2, "record": "stats", "n_outcomes": 9, "n_scored": 4, "n_dropped": 1}
UPLIFT = {"mean": 0.05, "low": 0.01, "high": 0.09, "n_router": 900, "n_holdout": 50, "holdout_model": "big"}
RECEIPT = {"decision_id": "d1", "status": "accepted", "score": 1.0}


@pytest.fixture
def gateway() -> Iterator[Loopback]:
    with loopback() as state:
        yield state


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Without any server."""
    monkeypatch.chdir(tmp_path)
    return Cli(tmp_path / "home")


@pytest.fixture
def online(tmp_path: Path, gateway: Loopback) -> Cli:
    return Cli(tmp_path / "home", gateway.url)


@pytest.fixture
def kept(cli: Cli) -> Iterator[OutcomeStore]:
    """Two outcomes of `ann`, one of `bob`, from long ago."""
    store = open_outcomes(f"sqlite:///{cli.home / 'outcomes.db'}")
    store.add([new(1, actor="ann"), new(2, actor="bob"), new(3, actor="ann")])
    yield store
    store.close()


def sent(gateway: Loopback) -> Any:
    return json.loads(gateway.received[-1].body)


@pytest.mark.parametrize(
    ("words", "body"),
    [
        (["--good"], {"score": True}),
        (["--bad", "--comment", "wrong"], {"score": False, "comment": "wrong"}),
        (["--score", "0.25"], {"score": 0.25}),
        (["--preferred", "Paris"], {"preferred_answer": "Paris"}),
    ],
)
def test_feedback_is_sent(gateway: Loopback, online: Cli, words: list[str], body: dict[str, Any]) -> None:
    gateway.answer_json("POST", "/v1/feedback", RECEIPT)

    result = online("feedback", "d1", *words)

    assert result.stdout == "accepted: score 1; the router learns from it\n"
    assert sent(gateway) == {"decision_id": "d1", **body}


@pytest.mark.parametrize("words", [[], ["--good", "--score", "1"], ["--score", "2"]])
def test_feedback_that_says_nothing_clear_is_refused(gateway: Loopback, online: Cli, words: list[str]) -> None:
    assert online("feedback", "d1", *words).exit_code == 2
    assert gateway.received == []


def test_status_says_what_is_not_known_yet(gateway: Loopback, online: Cli) -> None:
    gateway.answer_json("GET", "/admin/v1/router", {**STATUS, "uplift_reason": "4 scored answers"})

    lines = online("router", "status").stdout.splitlines()

    assert lines[0] == "router version 7; no fit (neuroforge router fit, then router apply); rules version 2"
    assert lines[1] == "record stats: 9 outcomes, 4 of them scored, 1 lost"
    assert lines[2] == "gain over the best single model: not known yet: 4 scored answers"


def test_status_says_when_kinds_were_found(gateway: Loopback, online: Cli) -> None:
    gateway.answer_json("GET", "/admin/v1/router", {**STATUS, "has_clusters": True, "uplift_reason": "none yet"})
    first = online("router", "status").stdout.splitlines()[0]
    assert "router apply), learning by kinds found in the traffic; rules version 2" in first


def test_status_shows_the_measured_gain(gateway: Loopback, online: Cli) -> None:
    gateway.answer_json("GET", "/admin/v1/router", {**STATUS, "fit_id": "ab" * 32, "uplift": UPLIFT})

    out = online("router", "status").stdout

    assert "fit abababababab;" in out
    assert "gain over always big: +0.050 (95 %: +0.010 to +0.090; 900 against 50 scored answers)" in out


def test_apply_sends_the_files_of_the_directory(gateway: Loopback, online: Cli, tmp_path: Path) -> None:
    gateway.answer_json("POST", "/admin/v1/router/fit", {**STATUS, "fit_id": "ab" * 32})
    (tmp_path / "fit").mkdir()
    (tmp_path / "fit" / "router.json").write_bytes(b"{}")

    result = online("router", "apply", str(tmp_path / "fit"))

    assert result.stdout == "fit abababababab is in force since router version 7\n"
    assert sent(gateway) == {"files": {"router.json": "e30="}}


def test_apply_can_name_a_directory_of_the_server(gateway: Loopback, online: Cli) -> None:
    gateway.answer_json("POST", "/admin/v1/router/fit", STATUS)

    online("router", "apply", "/srv/fit", "--on-server")

    assert sent(gateway) == {"path": "/srv/fit"}


def test_apply_without_a_directory_says_how_to_make_one(online: Cli, tmp_path: Path) -> None:
    result = online("router", "apply", str(tmp_path / "nowhere"))

    assert result.exit_code == 1
    assert "neuroforge router fit --out DIR" in result.stderr


def test_what_is_kept_is_shown_without_a_server(cli: Cli, kept: OutcomeStore) -> None:
    lines = cli("data", "show").stdout.splitlines()

    assert lines[0] == "record stats, kept for 30 days"
    assert lines[1].startswith("3 outcomes, 0 feedback, 3 embeddings, 3 texts;")
    assert lines[-1] == str(cli.home / "outcomes.db")


def test_settings_of_recording_are_those_shown(cli: Cli, kept: OutcomeStore) -> None:
    cli.config("router: {record: text, retention: 12h}")

    shown = cli.json("data", "show", NEUROFORGE_CONFIG=str(cli.home / "neuroforge.yaml"))

    assert (shown["record"], shown["retention_days"]) == ("text", 0.5)


def test_outcomes_are_exported_without_a_server(cli: Cli, kept: OutcomeStore, tmp_path: Path) -> None:
    result = cli("data", "export", "out.parquet")

    assert result.stdout == f"3 outcomes in {tmp_path / 'out.parquet'}\n"
    assert (tmp_path / "out.parquet").exists()


def test_a_purge_asks_first(cli: Cli, kept: OutcomeStore) -> None:
    refused = cli("data", "purge", piped="n\n")
    assert refused.exit_code == 1
    assert "Delete everything that is kept of all callers?" in refused.stderr
    assert kept.counts().n_outcomes == 3

    told = cli("data", "purge", piped="y\n").stdout
    assert told.endswith(
        "3 outcomes deleted, with all that belonged to them\n"
        "texts of 0 experiments and 0 prompt runs, and 0 kept replies deleted\n"
    )
    assert kept.counts().n_outcomes == 0


def test_a_purge_can_be_of_one_key_and_of_what_is_old(cli: Cli, kept: OutcomeStore) -> None:
    assert cli.json("data", "purge", "--yes", "--key", "ann")["n_outcomes"] == 2
    assert cli.json("data", "purge", "--yes", "--older-than", "20000d")["n_outcomes"] == 0
    assert cli.json("data", "purge", "--yes", "--older-than", "7d")["n_outcomes"] == 1


def test_a_purge_of_all_callers_reaches_the_texts_of_prompt_runs_and_one_of_a_key_does_not(
    cli: Cli, kept: OutcomeStore
) -> None:
    replies = cli.home / "prompts" / "sense" / "results.jsonl"
    replies.parent.mkdir(parents=True)
    replies.write_text("canary")
    assert cli.json("data", "show")["n_prompt_runs"] == 1
    assert cli.json("data", "purge", "--yes", "--key", "ann")["n_prompt_runs"] == 0
    assert replies.exists()
    assert cli.json("data", "purge", "--yes")["n_prompt_runs"] == 1
    assert not replies.exists()


def test_what_is_done_without_a_server_is_audited(cli: Cli, kept: OutcomeStore) -> None:
    cli("data", "purge", "--yes", "--key", "ann")

    events = [one["event"] for one in cli.json("audit", "tail")]

    assert [(one["action"], one["target"], one["actor"]) for one in events] == [("data.purge", "ann", "local")]


def test_an_age_that_is_none_is_refused(cli: Cli, kept: OutcomeStore) -> None:
    result = cli("data", "purge", "--yes", "--older-than", "soon")

    assert result.exit_code == 2
    assert "not a duration" in result.stderr
    assert kept.counts().n_outcomes == 3


def test_a_running_server_is_asked_instead(gateway: Loopback, online: Cli) -> None:
    gateway.answer_json("DELETE", "/admin/v1/data", {"n_outcomes": 5})

    assert online.json("data", "purge", "--yes", "--key", "k 1")["n_outcomes"] == 5

    assert gateway.received[-1].path == "/admin/v1/data?actor=k+1"
