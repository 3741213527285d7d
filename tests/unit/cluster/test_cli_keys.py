import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.cluster.cli_runner import Cli, cells
from tests.unit.loopback import Loopback, loopback

KEY = {"id": "k1", "spec": {"name": "me", "scopes": ["admin"]}, "created_at_s": 1.0}


@pytest.fixture
def gateway() -> Iterator[Loopback]:
    with loopback() as state:
        yield state


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Without any server."""
    monkeypatch.chdir(tmp_path)
    return Cli(tmp_path / "home")


def test_the_first_key_is_made_before_the_first_start(cli: Cli) -> None:
    result = cli("keys", "create", "me", "--scope", "admin", "--scope", "inference", "--model", "a", "--rpm", "5")
    assert result.exit_code == 0, result.output
    secret = result.stdout.strip()
    assert secret.startswith("nf-")
    listed = cli("keys", "list").stdout
    assert cells(listed.splitlines()[1])[1:6] == ["me", "admin,inference", "a", "5", "-"]
    assert secret not in listed


def test_a_first_key_without_the_scope_admin_comes_with_a_warning(cli: Cli) -> None:
    assert "none has the scope admin" in cli("keys", "create", "me").stderr
    assert "none has" not in cli("keys", "create", "boss", "--scope", "admin").stderr
    assert "none has" not in cli("keys", "create", "other").stderr


def test_the_secret_is_nowhere_on_disk(cli: Cli) -> None:
    secret = cli("keys", "create", "--name", "me").stdout.strip()
    assert not any(secret.encode() in one.read_bytes() for one in cli.home.rglob("*") if one.is_file())


def test_json_carries_the_secret_once(cli: Cli) -> None:
    made = cli.json("keys", "create", "me")
    assert made["secret"].startswith(f"nf-{made['id']}-")
    assert "secret_sha256" not in str(made)
    assert "secret" not in str(cli.json("keys", "list"))


def test_a_key_is_revoked_and_both_acts_are_audited(cli: Cli) -> None:
    key_id = cli.json("keys", "create", "me")["id"]
    assert cli("keys", "revoke", key_id).stdout == f"revoked {key_id} (me)\n"
    assert cli.json("keys", "list")[0]["revoked_at_s"] is not None
    events = [one["event"] for one in cli.json("audit", "tail")]
    acts = [("key.create", key_id), ("key.revoke", key_id)]
    assert [(one["action"], one["target"]) for one in events] == acts
    assert cells(cli("audit", "tail", "-n", "1").stdout.splitlines()[1])[2:5] == ["local", "key.revoke", key_id]


def test_an_unknown_key_or_scope_is_refused(cli: Cli) -> None:
    assert cli("keys", "revoke", "zzz").exit_code == 1
    assert cli("keys", "create", "me", "--scope", "root").exit_code == 2
    assert cli("keys", "create").exit_code == 2


def test_an_untouched_log_is_intact(cli: Cli) -> None:
    cli("keys", "create", "me")
    assert cli("audit", "verify").stdout.startswith("intact: 1 records, head 1:")
    assert cli.json("audit", "verify")["is_intact"] is True


def test_a_touched_log_exits_1_and_names_the_record(cli: Cli) -> None:
    cli("keys", "create", "me")
    with sqlite3.connect(cli.home / "neuroforge.db") as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]
        for name in names:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("UPDATE nf_audit SET event = replace(event, 'local', 'other')")
    connection.close()
    result = cli("audit", "verify")
    assert result.exit_code == 1
    assert "broken at record 1" in result.stderr
    assert cli.json("audit", "verify", exit_code=1)["first_bad_seq"] == 1


def test_a_running_server_is_asked_instead(tmp_path: Path, gateway: Loopback) -> None:
    cli = Cli(tmp_path / "home", gateway.url)
    created = {"key": {**KEY, "secret_sha256": "ff"}, "secret": "nf-k1-x"}
    gateway.answer_json("POST", "/admin/v1/keys", created, 201)
    gateway.answer_json("GET", "/admin/v1/keys", {"data": [KEY]})
    assert cli("keys", "create", "me", "--tpm", "9").stdout == "nf-k1-x\n"
    assert gateway.received[1].json["tokens_per_minute"] == 9
    assert cli.json("keys", "list")[0]["id"] == "k1"
    assert not (cli.home / "neuroforge.db").exists()


def test_offline_works_on_the_database_although_a_server_is_named(tmp_path: Path, gateway: Loopback) -> None:
    cli = Cli(tmp_path / "home", gateway.url)
    assert cli("keys", "create", "me", "--offline").exit_code == 0
    assert gateway.received == []
    assert (cli.home / "neuroforge.db").exists()
