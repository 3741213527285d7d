"""chat, stream, labels, cancel, privacy and recovery of the real engine, through the gateway."""

import importlib.util
import json
import re
import signal
import threading
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from neuroforge.client import Client
from neuroforge.contracts.models import ModelSpec
from tests.cluster.fleet import status_of, until
from tests.server import RunningServer
from tests.vllm.conftest import CONTEXT_LENGTH, MAX_QUEUE, MODEL, PARALLEL, START_TIMEOUT_S, wait_loaded

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900)]

REFERENCE = json.loads((Path(__file__).parent.parent / "contract/data/smollm2_label_logprobs.json").read_text())
TOLERANCE_NAT = 0.05
FREE_WITHIN_S = 5.0
"""0.2 s on a quiet machine; the limit leaves room for a busy one, and is far below what the answers would take."""
QUESTION = [{"role": "user", "content": "What is the capital of France?"}]
STORY: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": "Tell a long story."}]}
LONG = {**STORY, "max_tokens": 900, "logit_bias": {"2": -100}}
"""Token 2 is SmolLM2's end of turn: it goes on to the last token."""
CHAT = "/v1/chat/completions"
CANARY = "zebra-quokka-7431"


def direct(server: RunningServer, path: str, port: int | None = None, **options: Any) -> requests.Response:
    """Ask the model's application itself, with the internal token unless other headers are given."""
    headers = {"x-neuroforge-internal": (server.home / "internal-token").read_text().strip()}
    base = server.base_url if port is None else f"http://127.0.0.1:{port}"
    method = options.pop("method", "GET")
    return requests.request(
        method, f"{base}/models/{MODEL}{path}", headers=options.pop("headers", headers), timeout=120, **options
    )


def n_running(server: RunningServer) -> int:
    found = re.search(r"^vllm:num_requests_running\{[^}]*\} (\S+)$", direct(server, "/metrics").text, re.M)
    assert found is not None
    return int(float(found[1]))


def engine_processes(server: RunningServer) -> list[psutil.Process]:
    descendants = psutil.Process(int(server.state["pid"])).children(recursive=True)
    return [one for one in descendants if "VLLM" in " ".join(one.cmdline()) or "EngineCore" in one.name()]


def replica_port(server: RunningServer) -> int:
    descendants = psutil.Process(int(server.state["pid"])).children(recursive=True)
    for one in descendants:
        if f"model-{MODEL}" in " ".join(one.cmdline()):
            ports = [c.laddr.port for c in one.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
            return next(port for port in ports if 30000 <= port <= 31000)
    raise AssertionError("no replica")


def test_the_servers_environment_holds_no_vllm() -> None:
    assert importlib.util.find_spec("vllm") is None
    assert importlib.util.find_spec("torch") is None


def test_chat_answers_with_usage(client: Client, vllm_server: RunningServer) -> None:
    answer = client.chat(QUESTION, MODEL, temperature=0, max_tokens=12)
    assert "Paris" in answer["choices"][0]["message"]["content"]
    assert answer["usage"]["completion_tokens"] > 0
    assert answer["model"] == MODEL


def test_a_stream_gives_the_same_text_in_pieces(client: Client, vllm_server: RunningServer) -> None:
    whole = client.chat(QUESTION, MODEL, temperature=0, max_tokens=12)["choices"][0]["message"]["content"]
    chunks = list(client.stream(QUESTION, MODEL, temperature=0, max_tokens=12))
    pieces = [one["choices"][0]["delta"].get("content") or "" for one in chunks if one["choices"]]
    assert "".join(pieces) == whole
    assert sum(bool(piece) for piece in pieces) >= 3


def test_a_schema_is_kept(client: Client, vllm_server: RunningServer) -> None:
    schema = {
        "type": "object",
        "properties": {"letter": {"enum": ["a", "b"]}},
        "required": ["letter"],
        "additionalProperties": False,
    }
    response_format = {"type": "json_schema", "json_schema": {"name": "pick", "schema": schema}}
    answer = client.chat(
        [{"role": "user", "content": "Pick one."}], MODEL, max_tokens=60, response_format=response_format
    )
    assert json.loads(answer["choices"][0]["message"]["content"])["letter"] in {"a", "b"}


@pytest.mark.parametrize("case", REFERENCE["cases"], ids=lambda case: str(case["scores"][0]["label"]).strip())
def test_label_scores_agree_with_transformers(client: Client, vllm_server: RunningServer, case: dict[str, Any]) -> None:
    prompt = case["prompt"].get("text") or case["prompt"]["messages"]
    answer = client.label_logprobs(prompt, [score["label"] for score in case["scores"]], MODEL)
    assert answer.n_prompt_tokens == case["n_prompt_tokens"]
    assert [one.n_tokens for one in answer.scores] == [score["n_tokens"] for score in case["scores"]]
    expected = [score["logprob"] for score in case["scores"]]
    assert [one.logprob for one in answer.scores] == pytest.approx(expected, abs=TOLERANCE_NAT)


def test_both_ways_of_scoring_a_label_agree(client: Client, vllm_server: RunningServer) -> None:
    """A long prompt is scored step by step with the prefix cache, against vLLM's own words about the whole text."""
    text = "The capital of France is Paris. " * 60 + "The capital of France is"
    label = " a small village in Wales"
    score = client.label_logprobs(text, [label, " Paris"], MODEL).scores[0]
    body = {"model": MODEL, "prompt": text + label, "max_tokens": 1, "prompt_logprobs": 0}
    told = direct(vllm_server, "/v1/completions", method="POST", json=body).json()["choices"][0]["prompt_logprobs"]
    expected = sum(next(iter(one.values()))["logprob"] for one in told[-score.n_tokens :])
    assert score.logprob == pytest.approx(expected, abs=TOLERANCE_NAT)


def test_tokens_are_counted_as_the_template_makes_them(client: Client, vllm_server: RunningServer) -> None:
    case = REFERENCE["cases"][-1]
    counted = client.count_tokens(case["prompt"]["messages"], MODEL)
    assert (counted.n_tokens, counted.context_length) == (case["n_prompt_tokens"], CONTEXT_LENGTH)


@pytest.mark.parametrize("is_stream", [True, False], ids=["streamed", "whole"])
def test_a_client_that_leaves_frees_its_slot(vllm_server: RunningServer, is_stream: bool) -> None:
    headers = {"Authorization": f"Bearer {vllm_server.api_key}"}
    url, body = f"{vllm_server.openai_url}/chat/completions", {**LONG, "stream": is_stream}

    waiting: dict[str, Any] = {"stream": True, "timeout": (10, 10)}
    has_been_seen = threading.Event()

    def ask_and_leave() -> None:
        with suppress(requests.ReadTimeout), requests.post(url, json=body, headers=headers, **waiting) as answer:
            assert answer.status_code == 200, answer.text
            lines = answer.iter_lines()  # kept: dropping the iterator would close the connection
            next(lines)
            has_been_seen.wait(60)

    asking = threading.Thread(target=ask_and_leave)
    asking.start()
    until(lambda: n_running(vllm_server) == 1, "the request is running", 60)
    has_been_seen.set()
    asking.join()
    until(lambda: n_running(vllm_server) == 0, "its slot is free", FREE_WITHIN_S)


def test_requests_beyond_the_queue_are_refused(vllm_server: RunningServer) -> None:
    """Asked at the application itself: PARALLEL decode, MAX_QUEUE wait, the next is one too many."""
    until(lambda: n_running(vllm_server) == 0, "nothing is left of earlier tests", FREE_WITHIN_S)
    body = {**LONG, "stream": True}
    with ExitStack() as held:
        for _ in range(PARALLEL + MAX_QUEUE):
            answer = held.enter_context(direct(vllm_server, CHAT, method="POST", json=body, stream=True))
            assert answer.status_code == 200
        refused = direct(vllm_server, CHAT, method="POST", json=body)
        assert refused.status_code == 429
        assert refused.headers["retry-after"] == "1"
        assert refused.json()["error"]["code"] == "model_overloaded"
    until(lambda: n_running(vllm_server) == 0, "all slots are free", FREE_WITHIN_S)


@pytest.mark.parametrize("path", ["/v1/models", "/health", "/metrics", "/docs", "/openapi.json", "/tokenize", "/ping"])
def test_no_route_answers_without_the_internal_token(vllm_server: RunningServer, path: str) -> None:
    for port in (None, replica_port(vllm_server)):
        for headers in ({}, {"x-neuroforge-internal": "guess"}, {"Authorization": f"Bearer {vllm_server.api_key}"}):
            assert direct(vllm_server, path, port, headers=headers).status_code == 401


def test_no_prompt_is_in_any_log(client: Client, vllm_server: RunningServer) -> None:
    client.chat([{"role": "user", "content": f"Say {CANARY}."}], MODEL, max_tokens=4)
    client.label_logprobs(f"Is {CANARY} a word?", [" yes", " no"], MODEL)
    logs = [*Path(vllm_server.state["session_dir"]).rglob("*"), vllm_server.log_path]
    texts = {path: path.read_bytes() for path in logs if path.is_file() and path.stat().st_size < 50_000_000}
    assert texts
    assert [path for path, text in texts.items() if CANARY.encode() in text] == []


def test_an_option_that_vllm_does_not_know_is_named(vllm_server: RunningServer, checkpoint: Path) -> None:
    tree = {"id": "wrong", "engine": "vllm", "path": str(checkpoint), "engine_options": {"no_such_option": 1}}
    with vllm_server.admin() as admin:
        admin.load("wrong", ModelSpec.model_validate({**tree, "context_length": 128, "parallel": 1}))
        until(lambda: status_of(admin, "wrong").state == "failed", "it has failed", START_TIMEOUT_S)
        assert "Unknown engine argument: no_such_option" in (status_of(admin, "wrong").error or "")
        admin.unload("wrong")


def test_a_killed_engine_is_replaced(client: Client, vllm_server: RunningServer) -> None:
    killed = engine_processes(vllm_server)
    assert killed
    for one in killed:
        one.send_signal(signal.SIGKILL)
    until(lambda: not any(one.is_running() for one in killed), "they are dead")
    until(lambda: len(engine_processes(vllm_server)) > 0, "a new engine starts", START_TIMEOUT_S)
    wait_loaded(vllm_server)
    answer = client.chat(QUESTION, MODEL, temperature=0, max_tokens=12)
    assert "Paris" in answer["choices"][0]["message"]["content"]


def test_unloading_ends_the_engines_processes(vllm_server: RunningServer) -> None:
    running = engine_processes(vllm_server)
    assert running
    with vllm_server.admin() as admin:
        admin.unload(MODEL)
    until(lambda: not any(one.is_running() for one in running), "the engine's processes are gone")
