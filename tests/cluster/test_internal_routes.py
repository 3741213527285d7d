"""The models' own routes answer to the gateway only, on every port that anything of ours listens on."""

import psutil
import requests

from tests.server import RunningServer

MODEL = "smollm2-135m-instruct"
BODY = {"model": MODEL, "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 1}


def listening_ports(pid: int) -> set[int]:
    ports = set()
    for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
        try:
            ports |= {one.laddr.port for one in process.net_connections("tcp") if one.status == psutil.CONN_LISTEN}
        except psutil.NoSuchProcess:
            continue
    return ports


def test_no_port_gives_an_answer_without_the_internal_token(gateway: RunningServer) -> None:
    ports = listening_ports(int(gateway.state["pid"]))
    model_ports = [port for port in ports if 30000 <= port <= 31000]
    assert len(model_ports) >= 2, "the gateway's and the model's own ports"
    answers: dict[tuple[int, str], int] = {}
    for port in ports:
        for path in (f"/models/{MODEL}/v1/chat/completions", "/v1/chat/completions"):
            try:
                answer = requests.post(f"http://127.0.0.1:{port}{path}", json=BODY, timeout=10)
            except requests.RequestException:
                continue  # not HTTP
            answers[port, path] = answer.status_code
            assert "choices" not in answer.text, f"port {port}{path} answered"
    for port in model_ports:
        assert 401 in {status for (one, _), status in answers.items() if one == port}


def test_a_wrong_token_is_refused_in_openais_envelope(gateway: RunningServer) -> None:
    url = f"{gateway.base_url}/models/{MODEL}/v1/chat/completions"
    answer = requests.post(url, json=BODY, headers={"x-neuroforge-internal": "guess"}, timeout=10)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "invalid_api_key"
