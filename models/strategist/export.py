"""Export of the strategist: base weights merged with a LoRA delta, strategy tokens, and the tokenizer."""

from dataclasses import replace
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from models.encoder.export import silence_libraries
from models.errors import ModelError
from models.language.gguf_weights import read_layers, write_tokenizer
from models.language.lora import merge_lora
from models.strategist.strategist import SMOLLM2_SHAPE


def export_strategist(delta: Path, folder: Path) -> None:
    """Write `strategist.safetensors` (bfloat16) and `tokenizer.json`.

    Raises:
        ModelError: The delta names a matrix that the base does not have, or changes no weight.
    """
    with silence_libraries():
        _export(delta, folder)


def _export(delta: Path, folder: Path) -> None:
    tensors = read_layers(replace(SMOLLM2_SHAPE, n_layers=_layers(delta)))
    before = tensors["layers.0.self_attn.q_proj.weight"].clone()
    merge_lora(tensors, delta)
    if torch.equal(before, tensors["layers.0.self_attn.q_proj.weight"]):
        raise ModelError(f"{delta}: merging the LoRA delta changed no weight; remedy: train the strategist again")
    with safe_open(str(delta), "pt") as opened:
        for name in ("strategy.embedding", "strategy.head"):
            tensors[name] = opened.get_tensor(name)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(
        {name: tensor.bfloat16().contiguous() for name, tensor in tensors.items()}, folder / "strategist.safetensors"
    )
    write_tokenizer(folder / "tokenizer.json")


def _layers(delta: Path) -> int:
    """Count the layers that a delta adapts."""
    with safe_open(str(delta), "pt") as opened:
        adapted = [name.split(".layers.")[1] for name in opened.keys() if ".layers." in name]  # noqa: SIM118 - not a dict
    return 1 + max(int(name.split(".")[0]) for name in adapted)
