"""A canary prompt is found in no log, error, task name, dashboard or database; neither is a key's secret.

Where texts are recorded it lies in the outcomes, and nowhere any more after a purge.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import psutil

from cluster.environment import haproxy_dir
from tests.cluster.fleet import title_of
from tests.server import RunningServer, serving

MODEL = "smollm2-135m-instruct"
SETTINGS = {"models": [{"id": MODEL, "context_length": 512, "parallel": 2}]}
CANARY = "quetzalcanary7431"
TALK = [{"role": "user", "content": f"Say {CANARY} again."}]
DASHBOARD_PAGES = (
    "/api/v0/tasks?detail=1&limit=1000",
    "/api/v0/actors?detail=1",
    "/api/v0/workers?detail=1",
    "/api/v0/objects?detail=1",
    "/api/v0/runtime_envs?detail=1",
    "/api/v0/cluster_events?detail=1",
    "/api/serve/applications/",
    "/api/jobs/",
    "/api/cluster_status",
    "/nodes?view=summary",
    "/timezone",
)
FINE, WRONG = {200}, {400, 404, 413, 504}


def requests_with_the_canary() -> list[tuple[str, dict[str, Any], set[int]]]:
    """Path, body and the statuses that are right: answers, and every kind of refusal that has read the prompt."""
    chat = {"model": MODEL, "messages": TALK, "max_tokens": 8}
    tool = {"type": "function", "function": {"name": CANARY, "description": CANARY, "parameters": {"type": "object"}}}
    return [
        ("/v1/chat/completions", chat, FINE),
        ("/v1/chat/completions", {**chat, "stream": True}, FINE),
        ("/v1/chat/completions", {**chat, "model": "auto", "user": CANARY}, FINE),
        ("/v1/chat/completions", {**chat, "tools": [tool], "tool_choice": "none"}, FINE),
        ("/v1/completions", {"model": MODEL, "prompt": CANARY, "max_tokens": 4}, FINE),
        ("/v1/responses", {"model": MODEL, "input": CANARY, "max_output_tokens": 16}, FINE),
        ("/v1/count_tokens", {"model": MODEL, "prompt": CANARY}, FINE),
        ("/v1/label_logprobs", {"model": MODEL, "prompt": CANARY, "labels": ["a", "b"]}, FINE),
        ("/v1/chat/completions", {**chat, "messages": [{"role": "user", "content": f"{CANARY} " * 400}]}, WRONG),
        ("/v1/chat/completions", {**chat, "messages": CANARY}, WRONG),
        ("/v1/chat/completions", {**chat, "messages": [{"role": CANARY, "content": CANARY}]}, WRONG),
        ("/v1/chat/completions", {**chat, "temperature": CANARY}, WRONG),
        ("/v1/chat/completions", {**chat, "max_tokens": 400, "neuroforge": {"deadline_s": 0.01}}, WRONG),
        ("/v1/embeddings", {"model": MODEL, "input": CANARY}, WRONG),
        ("/v1/route", {"model": "auto", "messages": TALK}, FINE),
        ("/v1/feedback", {"decision_id": CANARY, "score": 1, "comment": CANARY}, WRONG),
    ]


def send_all(server: RunningServer) -> None:
    headers = {"authorization": f"Bearer {server.api_key}"}
    with httpx2.Client(base_url=server.base_url, headers=headers, timeout=60) as http:
        for path, body, right in requests_with_the_canary():
            answer = http.post(path, json=body)
            assert answer.status_code in right, f"{path}: {answer.status_code} {answer.text}"
            if right is WRONG:
                assert CANARY not in answer.text
        rate_one(http)


def rate_one(http: httpx2.Client) -> None:
    """Ask for something with the canary and say with the canary what the answer should have been."""
    answer = http.post("/v1/chat/completions", json={"model": "auto", "messages": TALK, "max_tokens": 8})
    decision_id = answer.headers["x-neuroforge-decision"].partition(";")[0]
    said = {"decision_id": decision_id, "preferred_answer": CANARY, "comment": CANARY}
    assert http.post("/v1/feedback", json=said).status_code == 200
    assert http.get(f"/v1/decisions/{decision_id}").status_code == 200


def pages(server: RunningServer) -> Iterator[tuple[str, str]]:
    """Name and text of what the gateway and Ray's dashboard show to those who may look."""
    admin = {"authorization": f"Bearer {server.admin_key}"}
    for path in (
        "/metrics",
        "/admin/v1/status",
        "/admin/v1/models",
        "/admin/v1/keys",
        "/admin/v1/audit?limit=1000",
        "/admin/v1/router",
        "/admin/v1/data",
    ):
        answer = httpx2.get(server.base_url + path, headers=admin)
        assert answer.status_code == 200, path
        yield path, answer.text
    token = {"authorization": f"Bearer {(server.home / 'ray-token').read_text().strip()}"}
    shown = [httpx2.get(server.state["dashboard_url"] + path, headers=token, timeout=30) for path in DASHBOARD_PAGES]
    assert sum(answer.status_code == 200 for answer in shown) >= len(DASHBOARD_PAGES) // 2
    yield from ((str(answer.url), answer.text) for answer in shown)
    processes = psutil.Process(server.process.pid).children(recursive=True)
    yield "process names", " ".join(title_of(one) for one in processes)


def files(*roots: Path) -> Iterator[Path]:
    """Every regular file below, but not the models."""
    for root in roots:
        for directory, names, found in os.walk(root):
            names[:] = [name for name in names if name != "assets"]
            yield from (path for name in found if (path := Path(directory) / name).is_file() and not path.is_symlink())


def test_a_canary_prompt_and_a_secret_leave_no_trace(
    tmp_path: Path, shared_home: Path, smollm2_path: Path, potion_path: Path
) -> None:
    home = tmp_path / "home"
    with serving(home, shared_home / "assets", SETTINGS, with_keys=True) as server:
        send_all(server)
        shown = dict(pages(server))
        session = Path(server.state["session_dir"])
        assert server.api_key is not None
        wanted = [CANARY.encode(), server.api_key.encode()]
    contents = {name: text.encode() for name, text in shown.items()}
    contents |= {str(path): path.read_bytes() for path in files(home, session, haproxy_dir(home))}
    assert any("gateway" in name for name in contents), "the gateway's log was not looked at"
    assert {"neuroforge.db", "outcomes.db"} <= {Path(name).name for name in contents}
    assert [name for name, content in contents.items() if any(one in content for one in wanted)] == []


def test_what_is_recorded_can_be_purged_to_the_last_byte(
    tmp_path: Path, shared_home: Path, smollm2_path: Path, potion_path: Path
) -> None:
    def found() -> list[str]:
        return [str(path) for path in files(home, session, tmp_path) if CANARY.encode() in path.read_bytes()]

    home, export = tmp_path / "home", tmp_path / "out.parquet"
    settings = {**SETTINGS, "router": {"record": "text"}}
    with serving(home, shared_home / "assets", settings, with_keys=True) as server:
        session = Path(server.state["session_dir"])
        headers = {"authorization": f"Bearer {server.api_key}"}
        with httpx2.Client(base_url=server.base_url, headers=headers, timeout=60) as http:
            rate_one(http)
        assert server.cli("data", "export", str(export)).returncode == 0
        where = {Path(one).name for one in found()}
        assert where <= {"outcomes.db", "outcomes.db-wal", "out.parquet"}
        assert "out.parquet" in where

        purged = server.cli("data", "purge", "--yes", "--json")

        assert json.loads(purged.stdout)["n_outcomes"] >= 1
        assert found() == []
    assert found() == []
