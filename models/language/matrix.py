"""Weight matrices in the number format that this processor multiplies fastest.

Decoding multiplies few rows at a time, so its speed is bound by reading the weights. Without bfloat16 instructions,
FBGEMM's float16 matrices (torch's `linear_dynamic_fp16`) halve those bytes; inputs, sums and outputs stay in float32,
so only the weights are rounded.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import linear

from models.language.precision import fast_dtype


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """Number format of a model.

    Attributes:
        dtype: Type of activations and weights.
        packed: Whether matrices are packed as float16 instead.
    """

    dtype: torch.dtype
    packed: bool = False

    @classmethod
    def fast(cls) -> "NumberFormat":
        """Fastest format of this processor: bfloat16 if supported, else packed float16 matrices, else float32."""
        dtype = fast_dtype()
        engines = torch.backends.quantized.supported_engines
        return cls(dtype, packed=dtype is torch.float32 and "fbgemm" in engines)


class Matrix:
    """Multiplies inputs `(..., in)` by a weight `(out, in)`, giving `(..., out)`."""

    def __init__(self, weight: Tensor, number_format: NumberFormat) -> None:
        """Convert the weight; packed weights beyond float16's range saturate."""
        self._packed = torch.ops.quantized.linear_prepack_fp16(weight.float(), None) if number_format.packed else None
        self._weight = None if number_format.packed else weight.to(number_format.dtype).contiguous()

    def __call__(self, inputs: Tensor) -> Tensor:
        """Compute `inputs @ weight.T` in the inputs' type."""
        if self._weight is not None:
            return linear(inputs, self._weight)
        rows = inputs.reshape(-1, inputs.shape[-1])  # the operator does not accept one-dimensional inputs
        product: Tensor = torch.ops.quantized.linear_dynamic_fp16(rows, self._packed)
        return product.view(*inputs.shape[:-1], -1)
