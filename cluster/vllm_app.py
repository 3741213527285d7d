"""What runs inside the vLLM environment: one engine of ray.serve.llm behind our guard.

That environment holds Ray and vLLM but none of our packages: `cluster.vllm` ships this module and `cluster.vllm_guard`
by value. So both import nothing else of ours, Ray's LLM classes are imported where they are used (they need vLLM), and
annotations stay text (the future import), because pickling by value loses a name that only an annotation uses.
"""

from __future__ import annotations

from typing import Any

from ray import serve

from cluster.vllm_guard import AsgiApp, CancelByDisconnect, MemoryRoute, QueueLimit, TokenGuard


@serve.ingress()
class VllmReplica:
    """One copy of one model: Ray's LLMServer, with its OpenAI server as the ingress."""

    def __init__(self, config: dict[str, Any], token_sha256: str, n_at_most: int) -> None:
        """Keep what the engine is started with.

        Args:
            config: Arguments of `ray.serve.llm.LLMConfig`.
            token_sha256: Hex SHA-256 of the internal token.
            n_at_most: Generating requests that may be inside, decoding or waiting.
        """
        self._config = config
        self._token_sha256 = token_sha256
        self._n_at_most = n_at_most
        self._server: Any = None

    async def __serve_build_asgi_app__(self) -> AsgiApp:
        """Start the engine and return its guarded server; Serve awaits this once, before the replica is ready.

        Raises:
            RuntimeError: vLLM refused the arguments or could not load the weights. One line of a built-in type,
                because the fleet's environment cannot unpickle the errors of vLLM and its pydantic.
        """
        from ray.serve.llm import LLMConfig
        from ray.serve.llm.deployment import LLMServer

        try:
            server = LLMServer.sync_init(LLMConfig(**self._config))
            await server.start()
        except (ValueError, TypeError, RuntimeError, OSError) as error:
            raise RuntimeError(_one_line(error)) from None
        self._server = server
        inner = MemoryRoute(CancelByDisconnect(await server.__serve_build_asgi_app__()))
        return TokenGuard(QueueLimit(inner, self._n_at_most), self._token_sha256)

    async def check_health(self) -> None:
        """Serve replaces the replica when this raises: the engine's process died."""
        await self._server.check_health()


def _one_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"vLLM did not start: {type(error).__name__}: {'; '.join(lines)[:400]}"
