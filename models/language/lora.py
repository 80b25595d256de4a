"""LoRA deltas (Hu et al. 2021): merging into base weights, and their storage format."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import torch
from safetensors import safe_open
from torch import Tensor

from models.errors import ModelError

_PREFIX: Final = "base_model.model."


def merge_lora(tensors: dict[str, Tensor], adapter: Path) -> None:
    """Add `scale * B @ A` in place to each matrix that the delta names; the scale is in the file's metadata.

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
                raise ModelError(
                    f"{adapter}: matrix {target!r} is not in the base model; remedy: train again on these base weights"
                )
            down = delta.get_tensor(name).float()
            up = delta.get_tensor(name.replace("lora_A", "lora_B")).float()
            tensors[target] += scale * up @ down


def half_precision(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Convert tensors to contiguous float16 on the CPU, the format of delta files."""
    return {name: tensor.detach().half().cpu().contiguous() for name, tensor in tensors.items()}
