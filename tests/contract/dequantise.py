"""A quantised GGUF file -> the same weights in 16-bit floats, or in 8 bits.

llama.cpp multiplies quantised weights with activations rounded to 8 bits: on SmolLM2 Q4_1 that moves a token's
log-probability by 0.1 nat on average and up to 0.5. With float weights it computes what transformers computes; with
8-bit ones it computes what it does with 4-bit ones, only faster: without AVX-512 it has no quick kernel for Q4_1.
"""

from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter, LlamaFileType
from gguf.quants import dequantize, quantize

_WRITTEN_ANEW = ("general.architecture", "general.file_type", "general.quantization_version")


def dequantise(source: Path, target: Path) -> Path:
    """Write `target` and return it; matrices in float16, vectors in float32."""
    reader, writer = _opened(source, target)
    writer.add_file_type(LlamaFileType.MOSTLY_F16)
    for tensor in reader.tensors:
        values = dequantize(tensor.data, tensor.tensor_type)
        writer.add_tensor(tensor.name, values.astype(np.float16 if values.ndim > 1 else np.float32))
    return _written(writer, target)


def widen(source: Path, target: Path) -> Path:
    """Write `target` and return it; matrices in Q8_0, vectors in float32."""
    reader, writer = _opened(source, target)
    writer.add_file_type(LlamaFileType.MOSTLY_Q8_0)
    kind = GGMLQuantizationType.Q8_0
    for tensor in reader.tensors:
        values = dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        if values.ndim > 1:
            writer.add_tensor(tensor.name, quantize(values, kind), raw_dtype=kind)
        else:
            writer.add_tensor(tensor.name, values)
    return _written(writer, target)


def _opened(source: Path, target: Path) -> tuple[GGUFReader, GGUFWriter]:
    reader = GGUFReader(source)
    writer = GGUFWriter(target, reader.fields["general.architecture"].contents())
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name in _WRITTEN_ANEW:
            continue
        kind = field.types[0]
        element = field.types[-1] if kind == GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, field.contents(), kind, sub_type=element)
    return reader, writer


def _written(writer: GGUFWriter, target: Path) -> Path:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target
