"""A weight matrix in the format in which this processor multiplies it fastest.

Reading the weights takes most of the time when few rows are multiplied, as in writing tokens. Where the processor has
no bfloat16 instructions, FBGEMM's float16 matrices (torch's `linear_dynamic_fp16`: half the bytes, packed for the
cache, widened as they are read) leave inputs, sums and outputs in float32, so that only the weights are rounded.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import linear

from models.language.precision import fast_dtype


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """Type of activations and of all weights but matrices; `packed` matrices are float16, others of that type too."""

    dtype: torch.dtype
    packed: bool = False

    @classmethod
    def fast(cls) -> "NumberFormat":
        """What is fast here: bfloat16 instructions, else packed float16 matrices, else float32."""
        dtype = fast_dtype()
        engines = torch.backends.quantized.supported_engines
        return cls(dtype, packed=dtype is torch.float32 and "fbgemm" in engines)


class Matrix:
    """Multiplies inputs `(..., in)` by a weight `(out, in)`, giving `(..., out)`."""

    def __init__(self, weight: Tensor, form: NumberFormat) -> None:
        """Convert once; weights beyond float16's range saturate when `form` packs them."""
        self._packed = torch.ops.quantized.linear_prepack_fp16(weight.float(), None) if form.packed else None
        self._weight = None if form.packed else weight.to(form.dtype).contiguous()

    def __call__(self, inputs: Tensor) -> Tensor:
        """`inputs @ weight.T`, in the inputs' type."""
        if self._weight is not None:
            return linear(inputs, self._weight)
        rows = inputs.reshape(-1, inputs.shape[-1])  # the operator takes no single vector
        product: Tensor = torch.ops.quantized.linear_dynamic_fp16(rows, self._packed)
        return product.view(*inputs.shape[:-1], -1)
