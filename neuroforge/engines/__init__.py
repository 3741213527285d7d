"""EngineRequest -> client ~HTTP~> one backend a file (llamacpp, vllm, openai_http) -> OpenAI's body or chunks."""
