"""Piecewise-linear encoding of numeric inputs (Gorishniy et al. 2022), which lets a network learn thresholds.

Each input becomes the value itself, one ramp per bin (0 below the bin, 1 above, linear within) and a flag for exactly
zero, which in history features means "never happened". Bin edges are quantiles of the non-zero training values.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

LIMIT: Final = 4.0  # standard deviations at which encoded inputs are clipped
_MIN_SCALE: Final = 0.05
_ZERO: Final = 1e-9
_MIN_NON_ZERO_SHARE: Final = 0.01  # above it, bin edges come from the non-zero values only

Matrix = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Binning:
    """Bin edges and standardisation constants; `encode` maps `(n, d)` to `(n, width)`.

    Attributes:
        low, steep: Lower edge of each bin and the inverse of its width, `(d, n_bins)`; unused bins have `steep` 0.
        mean, scale: Mean and standard deviation of the encoded columns, `(width,)`.
    """

    low: Matrix
    steep: Matrix
    mean: Matrix
    scale: Matrix

    @property
    def width(self) -> int:
        """Number of encoded columns."""
        return len(self.mean)

    @property
    def bins(self) -> int:
        """Most bins of an input."""
        return int(self.low.shape[1])

    def encode(self, numeric: Matrix) -> Matrix:
        """Encode to standardised columns `(n, width)`, clipped to `LIMIT` standard deviations."""
        found = (_columns(numeric, self.low, self.steep) - self.mean) / self.scale
        return np.clip(found, -LIMIT, LIMIT, out=found)

    @classmethod
    def fit(cls, numeric: Matrix, n_bins: int) -> "Binning":
        """Fit edges and constants to training rows `(n, d)`."""
        low = np.zeros((numeric.shape[1], n_bins), np.float32)
        steep = np.zeros_like(low)
        for column in range(numeric.shape[1]):
            values = numeric[:, column]
            non_zero = values[np.abs(values) > _ZERO]
            sample = non_zero if len(non_zero) > _MIN_NON_ZERO_SHARE * len(values) else values
            edges = np.unique(np.quantile(sample, np.linspace(0, 1, n_bins + 1)))
            widths = np.diff(edges)
            keep = widths > 1e-6
            low[column, : keep.sum()] = edges[:-1][keep]
            steep[column, : keep.sum()] = 1 / widths[keep]
        sample = numeric[:: max(1, len(numeric) // 200_000)]
        columns = _columns(sample, low, steep)
        return cls(low, steep, columns.mean(0), np.maximum(columns.std(0), _MIN_SCALE))


def _columns(numeric: Matrix, low: Matrix, steep: Matrix) -> Matrix:
    ramps = np.clip((numeric[:, :, None] - low) * steep, 0.0, 1.0).reshape(len(numeric), -1)
    zero = np.abs(numeric) <= _ZERO
    return np.concatenate([numeric, ramps, zero], axis=1, dtype=np.float32)
