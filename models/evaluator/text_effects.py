"""Text effects: what a product's description says about its demand.

The encoder state of a product, less the mean and projected to a few directions, is a block of effects on level and
price slope, `text:0`, `text:1` and so on, which share one prior. The sum over the block is a Bayesian ridge regression
on the text: a new product starts from what products described alike have taught, and its own effect takes over as its
outcomes arrive.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats, principal_directions
from models.evaluator.lesson import Term

GROUP: Final = "text"
SD: Final = (0.7, 0.4)
"""Prior standard deviations of level and slope, for a description at the usual distance from the mean."""
WIDTH: Final = 32
LEAST_TEXTS: Final = 12
"""Fewest different descriptions that directions are computed from; with fewer, products have their own effects."""
_DECIMALS: Final = 4  # decisions record the values
PREFIX: Final = "text."
"""Start of the names of tensors in the evaluator's file."""


@dataclass(frozen=True, slots=True)
class TextEffects:
    """Values of the block in a batch of situations, `(n, k)`, and its prior standard deviations (level, slope)."""

    values: Floats
    sd: tuple[float, float]

    def __len__(self) -> int:
        """Number of directions."""
        return int(self.values.shape[1])

    def of_rows(self, rows: NDArray[np.intp]) -> "TextEffects":
        """Select situations."""
        return TextEffects(self.values[rows], self.sd)


def text_names(count: int) -> list[str]:
    """Names of the effects of a block."""
    return [f"{GROUP}:{place}" for place in range(count)]


def text_terms(values: Sequence[float], sd: tuple[float, float]) -> tuple[Term, ...]:
    """The block of one situation as single effects."""
    return tuple(Term(name, value, *sd) for name, value in zip(text_names(len(values)), values, strict=True))


@dataclass(frozen=True, slots=True)
class TextProjection:
    """Encoder states to text effects.

    Attributes:
        mean: `(dim,)`. `directions`: `(dim, k)`; the values of a description have length 1 on average.
        sd: Prior standard deviations of level and slope.
    """

    mean: Floats
    directions: Floats
    sd: tuple[float, float] = SD

    @classmethod
    def of_products(cls, states: NDArray[np.float32]) -> "TextProjection | None":
        """Compute principal directions of product states `(n, dim)`; None with too few different ones."""
        known = np.unique(states[states.any(axis=1)].astype(np.float64), axis=0)
        if len(known) < LEAST_TEXTS:
            return None
        mean = known.mean(axis=0)
        directions = principal_directions(known - mean, WIDTH)
        length = np.sqrt((((known - mean) @ directions) ** 2).sum(axis=1).mean())
        return None if length < 1e-6 else cls(mean, directions / length)

    def of(self, states: NDArray[np.float32]) -> TextEffects:
        """Compute the text effects of product states `(n, dim)`; zero for products without a state."""
        values = (states.astype(np.float64) - self.mean) @ self.directions
        values[~np.any(states, axis=1)] = 0.0
        return TextEffects(values.round(_DECIMALS), self.sd)

    def to_tensors(self) -> dict[str, NDArray[np.float32]]:
        """Tensors for the evaluator's file."""
        tensors = {"mean": self.mean, "directions": self.directions, "sd": np.asarray(self.sd)}
        return {PREFIX + name: np.ascontiguousarray(value, np.float32) for name, value in tensors.items()}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Floats]) -> "TextProjection | None":
        """Read tensors of the evaluator's file; None when it holds no text effects.

        Raises:
            KeyError: A tensor is missing.
        """
        if not any(name.startswith(PREFIX) for name in tensors):
            return None
        mean, directions, sd = (tensors[PREFIX + name] for name in ("mean", "directions", "sd"))
        level, slope = sd.tolist()
        return cls(mean, directions, (float(level), float(slope)))
