"""Effects fitted by training, as the starting point of online learning: their posterior and their prior scales."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats
from models.evaluator.online_effects import OnlineEffects

_PREFIX: Final = "effects."
_NAMES: Final = "names"
_GROUPS: Final = "groups"
_SD: Final = "sd"


@dataclass(frozen=True, slots=True)
class TrainedEffects:
    """Starting point of online learning.

    Attributes:
        state: The posterior after training, in units of the prior sd.
        sd: Prior sd of level and slope by group (`Term.group`), estimated in training; other groups use the default.
    """

    state: OnlineEffects
    sd: Mapping[str, tuple[float, float]]

    def to_tensors(self) -> dict[str, NDArray[np.float32]]:
        """Tensors for the evaluator's file; names are stored as bytes."""
        tensors = {name: np.asarray(value, np.float32) for name, value in self.state.to_arrays().items()}
        tensors[_NAMES] = _bytes(self.state.names)
        tensors[_GROUPS] = _bytes(list(self.sd))
        tensors[_SD] = np.asarray(list(self.sd.values()), np.float32).reshape(-1, 2)
        return {_PREFIX + name: np.ascontiguousarray(value) for name, value in tensors.items()}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Floats]) -> "TrainedEffects | None":
        """Read tensors of the evaluator's file; None when it holds no effects.

        Raises:
            KeyError: A tensor is missing.
        """
        own = {n.removeprefix(_PREFIX): value for n, value in tensors.items() if n.startswith(_PREFIX)}
        if not own:
            return None
        names, groups, sd = _words(own.pop(_NAMES)), _words(own.pop(_GROUPS)), own.pop(_SD)
        pairs = [(float(level), float(slope)) for level, slope in sd.tolist()]
        return cls(OnlineEffects.from_arrays(names, own), dict(zip(groups, pairs, strict=True)))


def _bytes(words: list[str]) -> NDArray[np.float32]:
    return np.frombuffer("\n".join(words).encode(), np.uint8).astype(np.float32)


def _words(values: Floats) -> list[str]:
    text = values.astype(np.uint8).tobytes().decode()
    return text.split("\n") if text else []
