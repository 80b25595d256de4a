"""Merging of LoRA deltas (Hu et al. 2021) into the matrices they were trained beside."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import torch
from safetensors import safe_open
from torch import Tensor

from models.errors import ModelError

_PREFIX: Final = "base_model.model."


def merge_lora(tensors: dict[str, Tensor], adapter: Path) -> None:
    """Add `scale * B @ A` in place to each matrix that the delta names; the scale travels in its metadata.

    Raises:
        ModelError: The delta names a matrix that is not among `tensors`.
    """
    with safe_open(str(adapter), "pt") as delta, torch.no_grad():
        scale = float(delta.metadata()["scale"])
        for name in delta.keys():  # noqa: SIM118 - not a dict
            if not name.endswith("lora_A.weight"):
                continue
            target = name.removeprefix(_PREFIX).replace("lora_A.weight", "weight")
            if target not in tensors:
                raise ModelError(f"{adapter}: {target} is not in the model; remedy: train against these base weights")
            down = delta.get_tensor(name).float()
            up = delta.get_tensor(name.replace("lora_A", "lora_B")).float()
            tensors[target] += scale * up @ down


def stored(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What a delta file holds: half precision, contiguous, on the processor."""
    return {name: tensor.detach().half().cpu().contiguous() for name, tensor in tensors.items()}
