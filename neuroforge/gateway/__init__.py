"""edge (ids, limits, errors) -> auth -> wire (OpenAI's JSON, checked) -> requirements -> orchestrator -> render."""
