"""Training device, and its fastest floating-point format.

A processor without bfloat16 instructions emulates them: with AVX2 only, a product of 80 x 576 by 576 x 3072 takes five
times as long as in float32, and a training step twenty times.
"""

from typing import Final

import torch

_PROCESSOR: Final = torch.device("cpu")
_BFLOAT16: Final = ("avx512_bf16", "amx_bf16", "bf16")  # x86, x86 with tiles, ARM


def fast_dtype(device: torch.device = _PROCESSOR) -> torch.dtype:
    """Return bfloat16 on a GPU or a processor with instructions for it, else float32."""
    if device.type == "cuda":
        return torch.bfloat16
    capabilities = torch.cpu.get_capabilities()
    return torch.bfloat16 if any(capabilities.get(name) for name in _BFLOAT16) else torch.float32


def training_device() -> torch.device:
    """Return the first NVIDIA GPU if there is one, else the processor."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def fast_autocast(device: torch.device) -> torch.autocast:
    """Mixed-precision context in `fast_dtype`, without effect where that is float32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=fast_dtype(device) is torch.bfloat16)
