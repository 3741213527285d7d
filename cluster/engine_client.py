"""The one engine client, with the dialect of every kind of engine."""

from neuroforge.contracts.models import EngineKind
from neuroforge.engines.client import HttpEngineClient
from neuroforge.engines.dialects import LlamaCppDialect
from neuroforge.engines.openai_http import UpstreamDialect
from neuroforge.engines.vllm_dialect import VllmDialect


def build_engine_client(internal_token: str) -> HttpEngineClient:
    """Return a client that reaches every model of this cluster."""
    return HttpEngineClient(
        internal_token,
        {
            EngineKind.LLAMACPP: LlamaCppDialect(),
            EngineKind.VLLM: VllmDialect(),
            EngineKind.OPENAI_HTTP: UpstreamDialect(),
        },
    )
