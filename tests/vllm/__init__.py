"""The real vLLM engine on this CPU, through the gateway: `make test-vllm`."""
