"""Weights of SmolLM2's first layers, read from its GGUF file without building the whole model.

llama.cpp stores query and key projections with the halves of each rotary pair interleaved; `_unpermute` restores the
order that transformers uses.
"""

from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from gguf import GGUFReader
from gguf.quants import dequantize
from tokenizers import Tokenizer
from torch import Tensor

from models.language.llama import LlamaShape
from models.registry.base_weights import SMOLLM2

_NAMES: Final = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}


def read_layers(shape: LlamaShape) -> dict[str, Tensor]:
    """Read embedding, the first `shape.n_layers` layers and the final norm, in f32, named as in transformers.

    Raises:
        BaseWeightsError: The GGUF file is missing, or its SHA-256 differs from the expected one.
    """
    reader = GGUFReader(str(SMOLLM2.verified()))
    tensors: dict[str, Tensor] = {}
    for tensor in reader.tensors:
        name = _target(tensor.name, shape.n_layers)
        if name is not None:
            values = np.asarray(dequantize(tensor.data, tensor.tensor_type), np.float32)
            if ".q_proj" in name or ".k_proj" in name:
                values = _unpermute(values, shape.n_heads if ".q_proj" in name else shape.n_kv_heads)
            tensors[name] = torch.from_numpy(np.array(values))  # copied, as the file's pages are read-only
    return tensors


def _target(name: str, n_layers: int) -> str | None:
    if name == "token_embd.weight":
        return "embed_tokens.weight"
    if name == "output_norm.weight":
        return "norm.weight"
    parts = name.split(".")
    if parts[0] != "blk" or int(parts[1]) >= n_layers or parts[2] not in _NAMES:
        return None
    return f"layers.{parts[1]}.{_NAMES[parts[2]]}.weight"


def _unpermute(values: np.ndarray[Any, np.dtype[np.float32]], n_heads: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    rows, width = values.shape
    return values.reshape(n_heads, rows // n_heads // 2, 2, width).swapaxes(1, 2).reshape(rows, width)


def write_tokenizer(path: Path) -> None:
    """Write `tokenizer.json` from the vocabulary and merges inside the GGUF file."""
    path.write_text(_tokenizer(), "utf-8")


@cache
def _tokenizer() -> str:
    """The tokenizer as JSON; reading it takes seconds, and strategist and narrator have the same one."""
    from transformers import AutoTokenizer  # heavy, and needed at preparation only

    gguf = SMOLLM2.verified()
    tokenizer: Tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).backend_tokenizer
    return str(tokenizer.to_str(pretty=True))
