"""The engine called in process, without HTTP of ours: does one block for each line on stdin, prints one JSON line.

`python -m tests.benchmarks.engine_worker MODEL_PATH SPEC_JSON`. A line is `{"n_streams": 4, "bodies": [...]}`; the
answer `{"n_tokens": ..., "seconds": ..., "first_s": [...]}`, of each body the time to its first text.
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import xllamacpp

from neuroforge.assets.gguf import read_gguf_header
from neuroforge.contracts.models import ModelSpec
from neuroforge.engines.llamacpp_params import LlamaCppConfig, build_params


def one_stream(server: Any, body: dict[str, Any], at: int, first_s: list[float], n_tokens: list[int]) -> None:
    """Run one stream to its end; note when the first text came and how many tokens there were."""
    started_s = time.perf_counter()

    def take(data: Any) -> bool:
        for piece in data if isinstance(data, list) else [data]:
            if first_s[at] < 0 and any(choice["delta"].get("content") for choice in piece.get("choices", ())):
                first_s[at] = time.perf_counter() - started_s
            if piece.get("usage"):
                n_tokens[at] = piece["usage"]["completion_tokens"]
        return False

    server.handle_chat_completions({**body, "stream": True, "stream_options": {"include_usage": True}}, take)


def block(server: Any, n_streams: int, bodies: list[dict[str, Any]]) -> dict[str, Any]:
    """Run a stream for each body, so many at once."""
    first_s, n_tokens = [-1.0] * len(bodies), [0] * len(bodies)
    started_s = time.perf_counter()
    with ThreadPoolExecutor(n_streams) as pool:
        for at, body in enumerate(bodies):
            pool.submit(one_stream, server, body, at, first_s, n_tokens)
    return {"n_tokens": sum(n_tokens), "seconds": time.perf_counter() - started_s, "first_s": first_s}


def main() -> None:
    """Load, say so, then work line by line."""
    spec = ModelSpec.model_validate_json(sys.argv[2])
    config = LlamaCppConfig.from_spec(spec, Path(sys.argv[1]), threads=spec.threads or 1)
    server = xllamacpp.Server(build_params(config, "benchmark", read_gguf_header(config.model_path)))
    print("ready", flush=True)
    for line in sys.stdin:
        wanted = json.loads(line)
        print(json.dumps(block(server, wanted["n_streams"], wanted["bodies"])), flush=True)


if __name__ == "__main__":
    main()
