"""Interest of a shopper in a category: `I_u(c) = f(W1.h_u(c) + b1)`, f the sigmoid.

`h_u(c)` is the elementwise product of the encoder states of shopper and category `(384,)`, followed by the history
features of that shopper and category (`features.PAIR_FEATURES`).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from models.arrays import Floats
from models.errors import RegistryError
from models.shopper.features import PAIR_FEATURES, SHOPPER_PRODUCT


def conditional_state(
    shopper: NDArray[np.float32], category: NDArray[np.float32], pair: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Compute `h_u(c)` `(n, dim + len(PAIR_FEATURES))` from states `(n, dim)` and pair features."""
    return np.concatenate([shopper * category * np.sqrt(shopper.shape[1]), pair], axis=1, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class InterestHead:
    """Interest head: `W1` `(dim + len(PAIR_FEATURES),)` and `b1`."""

    weights: Floats
    bias: float

    def of_features(
        self, shopper: NDArray[np.float32], category: NDArray[np.float32], features: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Compute the logits `(n,)` from states `(n, dim)` and rows of `FEATURES`."""
        start = len(SHOPPER_PRODUCT)
        return self.logits(conditional_state(shopper, category, features[:, start : start + len(PAIR_FEATURES)]))

    def logits(self, state: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute `W1.h_u(c) + b1` `(n,)` for states `(n, d)`."""
        return np.asarray(state.astype(np.float64) @ self.weights + self.bias, np.float32)


def save_interest(head: InterestHead, path: Path) -> None:
    """Write `W1` and `b1`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({"W1": head.weights.astype(np.float32), "b1": np.asarray([head.bias], np.float32)}, str(path))


def load_interest(path: Path) -> InterestHead:
    """Load and validate a head.

    Raises:
        RegistryError: `W1` has another size than this code expects, or a value is not finite.
    """
    tensors = load_file(str(path))
    if set(tensors) != {"W1", "b1"} or tensors["W1"].ndim != 1 or len(tensors["W1"]) <= len(PAIR_FEATURES):
        shapes = {name: tensor.shape for name, tensor in tensors.items()}
        raise RegistryError(
            f"{path}: tensors have shapes {shapes}; expected: W1 (dimensions of the encoder + "
            f"{len(PAIR_FEATURES)},) and b1 (1,); remedy: train the encoder again or activate another version"
        )
    if not all(np.isfinite(tensor).all() for tensor in tensors.values()):
        raise RegistryError(f"{path}: a weight is NaN or infinite; remedy: train or activate another version")
    return InterestHead(tensors["W1"].astype(np.float64), float(tensors["b1"][0]))
