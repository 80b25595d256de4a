"""Dynamic array: appends in amortised constant time."""

from typing import Final, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Scalar = TypeVar("Scalar", bound=np.generic)

_GROWTH: Final = 1.25


class DynamicArray(Generic[Scalar]):
    """One-dimensional array with amortised append; not thread-safe, the owner must lock."""

    def __init__(self, values: NDArray[Scalar]) -> None:
        """Start with a copy of `values`."""
        self._buffer = values.copy()
        self._length = len(values)

    @property
    def values(self) -> NDArray[Scalar]:
        """Writable view of the current values, `(n,)`; values appended later are not part of it."""
        return self._buffer[: self._length]

    def extend(self, values: NDArray[Scalar]) -> None:
        """Append `values` `(m,)`."""
        length = self._length + len(values)
        if length > len(self._buffer):
            buffer = np.empty(max(length, int(_GROWTH * len(self._buffer))), self._buffer.dtype)
            buffer[: self._length] = self.values
            self._buffer = buffer
        self._buffer[self._length : length] = values
        self._length = length
