"""GGUF file -> checkpoint directory (float32 safetensors, tokenizer, config) that vLLM loads.

A script for the vLLM environment, started by `python -m cluster.vllm_env convert`; it imports nothing of ours.
vLLM itself no longer reads GGUF since 0.24.
"""

import json
import sys
from pathlib import Path

import torch  # type: ignore[import-not-found]  # the vLLM environment's
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer


def convert(gguf: Path, directory: Path) -> None:
    """Write the checkpoint; config.json comes last, so a directory that has one is complete.

    Tied output weights are left out, as the Hugging Face format wants; `quantization_config`, which names the GGUF
    file, is dropped, because the weights no longer are quantised.
    """
    directory.mkdir(parents=True, exist_ok=True)
    model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    if model.config.tie_word_embeddings:
        state.pop("lm_head.weight", None)
    save_file(state, directory / "model.safetensors", metadata={"format": "pt"})
    tokenizer.save_pretrained(directory)
    model.generation_config.save_pretrained(directory)
    config = {key: value for key, value in model.config.to_dict().items() if key != "quantization_config"}
    (directory / "config.json").write_text(json.dumps(config | {"dtype": "float32"}, indent=2))


if __name__ == "__main__":
    convert(Path(sys.argv[1]).absolute(), Path(sys.argv[2]).absolute())
