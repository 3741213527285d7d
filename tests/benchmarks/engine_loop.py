"""The engine in process, its slots kept full with different prompts: one line of bodies in, one line of figures out.

`python -m tests.benchmarks.engine_loop MODEL_PATH SPEC_JSON`. A line is `{"n_streams": 4, "bodies": [...]}`; the answer
`{"n_tokens": ..., "seconds": ...}`.
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
from tests.benchmarks.engine_worker import one_stream


def loop(server: Any, n_streams: int, bodies: list[dict[str, Any]]) -> dict[str, Any]:
    """Ask all, so many at a time."""
    first_s, n_tokens = [-1.0] * len(bodies), [0] * len(bodies)
    begun_s = time.perf_counter()
    with ThreadPoolExecutor(n_streams) as pool:
        for at, body in enumerate(bodies):
            pool.submit(one_stream, server, body, at, first_s, n_tokens)
    return {"n_tokens": sum(n_tokens), "seconds": time.perf_counter() - begun_s}


def main() -> None:
    """Load, say so, then work line by line."""
    spec = ModelSpec.model_validate_json(sys.argv[2])
    config = LlamaCppConfig.from_spec(spec, Path(sys.argv[1]), threads=spec.threads or 1)
    server = xllamacpp.Server(build_params(config, "benchmark", read_gguf_header(config.model_path)))
    print("ready", flush=True)
    for line in sys.stdin:
        wanted = json.loads(line)
        print(json.dumps(loop(server, wanted["n_streams"], wanted["bodies"])), flush=True)


if __name__ == "__main__":
    main()
