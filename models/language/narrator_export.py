"""Export of the narrator: base weights merged with a LoRA delta, and the tokenizer."""

from pathlib import Path

import torch
from safetensors.torch import save_file

from models.encoder.export import silence_libraries
from models.errors import ModelError
from models.language.gguf_weights import read_layers, write_tokenizer
from models.language.lora import merge_lora
from models.language.narrator import NARRATOR_SHAPE


def export_narrator(delta: Path, folder: Path) -> None:
    """Write `narrator.safetensors` (bfloat16) and `tokenizer.json`.

    Raises:
        ModelError: The delta names a matrix that the base does not have, or changes no weight.
    """
    with silence_libraries():
        tensors = read_layers(NARRATOR_SHAPE)
        before = tensors["layers.0.self_attn.q_proj.weight"].clone()
        merge_lora(tensors, delta)
        if torch.equal(before, tensors["layers.0.self_attn.q_proj.weight"]):
            raise ModelError(f"{delta}: merging the LoRA delta changed no weight; remedy: train the narrator again")
        folder.mkdir(parents=True, exist_ok=True)
        merged = {name: tensor.bfloat16().contiguous() for name, tensor in tensors.items()}
        save_file(merged, folder / "narrator.safetensors")
        write_tokenizer(folder / "tokenizer.json")
