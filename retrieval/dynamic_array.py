"""An array that grows at its end without being copied each time."""

from typing import Final, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Scalar = TypeVar("Scalar", bound=np.generic)

_MORE: Final = 1.25


class Growing(Generic[Scalar]):
    """One-dimensional; when its room is full, a quarter more is made. The owner locks."""

    def __init__(self, values: NDArray[Scalar]) -> None:
        """Start with a copy of `values`."""
        self._room = values.copy()
        self._length = len(values)

    @property
    def values(self) -> NDArray[Scalar]:
        """What there is, `(n,)`: a view, to be written to as well, that does not see what comes after it."""
        return self._room[: self._length]

    def extend(self, values: NDArray[Scalar]) -> None:
        """Append `values` `(m,)`."""
        length = self._length + len(values)
        if length > len(self._room):
            room = np.empty(max(length, int(_MORE * len(self._room))), self._room.dtype)
            room[: self._length] = self.values
            self._room = room
        self._room[self._length : length] = values
        self._length = length
