"""A model on disk -> ModelFacts: from the GGUF header, or from a checkpoint's config.json and safetensors headers."""

import json
from math import prod
from pathlib import Path
from typing import Any

from neuroforge.assets.gguf import read_gguf_facts
from neuroforge.contracts.assets import ModelFacts
from neuroforge.errors import DataError

MAX_JSON_BYTES = 64 * 1024 * 1024
_GENERATES = ("ForCausalLM", "ForConditionalGeneration", "LMHeadModel")


def read_facts(path: Path) -> ModelFacts:
    """Return what is said of a GGUF file (with the sizes of its other shards) or a checkpoint directory.

    Raises:
        DataError: Neither, or damaged.
    """
    if path.is_dir():
        return _read_checkpoint(path)
    facts = read_gguf_facts(path)
    shards = gguf_shards(path)
    if len(shards) == 1:
        return facts
    n_parameters = sum(read_gguf_facts(shard).n_parameters or 0 for shard in shards)
    total = sum(shard.stat().st_size for shard in shards)
    return ModelFacts.model_validate(
        {**facts.model_dump(), "n_parameters": n_parameters or None, "weights_bytes": total}
    )


def gguf_shards(path: Path) -> list[Path]:
    """Return the file, or all of `name-00001-of-0000N.gguf` in order.

    Raises:
        DataError: A shard is missing.
    """
    stem, _, count = path.stem.rpartition("-of-")
    first, _, number = stem.rpartition("-")
    if not (len(count) == len(number) == 5 and count.isdecimal() and number.isdecimal()):
        return [path]
    shards = [path.with_name(f"{first}-{index:05d}-of-{count}{path.suffix}") for index in range(1, int(count) + 1)]
    missing = [shard.name for shard in shards if not shard.is_file()]
    if missing:
        raise DataError(f"{path.parent}: the model is in {int(count)} files, and {missing[0]} is missing")
    return shards


def _read_checkpoint(directory: Path) -> ModelFacts:
    config = read_json(directory / "config.json")
    weights = sorted(directory.glob("*.safetensors"))
    if not weights:
        raise DataError(f"{directory}: has a config.json but no safetensors")
    text = config.get("text_config")
    shape: dict[str, Any] = text if isinstance(text, dict) else config
    n_heads = _whole(shape, "num_attention_heads")
    width = _whole(shape, "hidden_size")
    architectures = config.get("architectures")
    names = [str(one) for one in architectures] if isinstance(architectures, list) else []
    return ModelFacts(
        architecture=_words(config, "model_type"),
        name=_words(config, "_name_or_path"),
        n_parameters=sum(_count_parameters(file) for file in weights) or None,
        quantization=_precision(config, shape),
        context_length=_whole(shape, "max_position_embeddings"),
        n_layers=_whole(shape, "num_hidden_layers"),
        n_heads=n_heads,
        n_kv_heads=_whole(shape, "num_key_value_heads") or n_heads,
        head_size=_whole(shape, "head_dim") or (width // n_heads if width and n_heads else None),
        n_vocabulary=_whole(shape, "vocab_size"),
        has_chat_template=_has_template(directory),
        is_embedding_model=bool(names) and not any(name.endswith(_GENERATES) for name in names),
        weights_bytes=sum(file.stat().st_size for file in weights),
    )


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object of bounded size.

    Raises:
        DataError: Missing, too large, or not a JSON object.
    """
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise DataError(f"{path}: larger than {MAX_JSON_BYTES:,} bytes")
        tree = json.loads(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not valid JSON") from error
    if not isinstance(tree, dict):
        raise DataError(f"{path}: not a JSON object")
    return tree


def _count_parameters(path: Path) -> int:
    """Sum the shapes in a safetensors header: a length (8 bytes, little-endian), then that much JSON."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        n_bytes = int.from_bytes(stream.read(8), "little")
        if size < 8 or n_bytes > min(size - 8, MAX_JSON_BYTES):
            raise DataError(f"{path.name}: not a safetensors file")
        try:
            header = json.loads(stream.read(n_bytes))
            shapes = [one["shape"] for key, one in header.items() if key != "__metadata__"]
            return sum(prod(int(length) for length in shape) for shape in shapes)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise DataError(f"{path.name}: its safetensors header is damaged") from error


def _precision(config: dict[str, Any], shape: dict[str, Any]) -> str | None:
    quantized = config.get("quantization_config")
    method = quantized.get("quant_method") if isinstance(quantized, dict) else None
    return method if isinstance(method, str) else _words(shape, "dtype") or _words(shape, "torch_dtype")


def _has_template(directory: Path) -> bool:
    settings = directory / "tokenizer_config.json"
    return (directory / "chat_template.jinja").is_file() or (
        settings.is_file() and "chat_template" in read_json(settings)
    )


def _whole(tree: dict[str, Any], key: str) -> int | None:
    value = tree.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _words(tree: dict[str, Any], key: str) -> str | None:
    value = tree.get(key)
    return value if isinstance(value, str) and value else None
