"""The engine called in process, without HTTP of ours: does one block for each line on stdin, prints one JSON line.

`python -m tests.benchmarks.engine_worker MODEL_PATH SPEC_JSON`. A line is `{"n_streams": 4, "body": {...}}`; the answer
`{"n_tokens": ..., "seconds": ..., "first_s": [...]}`.
"""

import json
import sys
import threading
import time
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


def block(server: Any, n_streams: int, body: dict[str, Any]) -> dict[str, Any]:
    """Run so many streams at once."""
    first_s, n_tokens = [-1.0] * n_streams, [0] * n_streams
    started_s = time.perf_counter()
    threads = [
        threading.Thread(target=one_stream, args=(server, body, at, first_s, n_tokens)) for at in range(n_streams)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"n_tokens": sum(n_tokens), "seconds": time.perf_counter() - started_s, "first_s": first_s}


def main() -> None:
    """Load, say so, then work line by line."""
    spec = ModelSpec.model_validate_json(sys.argv[2])
    config = LlamaCppConfig.from_spec(spec, Path(sys.argv[1]), threads=spec.threads or 1)
    server = xllamacpp.Server(build_params(config, "benchmark", read_gguf_header(config.model_path)))
    print("ready", flush=True)
    for line in sys.stdin:
        wanted = json.loads(line)
        print(json.dumps(block(server, wanted["n_streams"], wanted["body"])), flush=True)


if __name__ == "__main__":
    main()
