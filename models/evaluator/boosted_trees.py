"""Boosted symmetric trees: all nodes of a level split on the same input, so that a tree is a table of its leaves.

Such trees (Prokhorenkova et al. 2018) are evaluated for many rows at once without branches, and are as shallow as they
look: `DEPTH` comparisons choose one of `2 ** DEPTH` leaves.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats

DEPTH: Final = 3
_BLOCK: Final = 8_192
_PLACES: Final = 2 ** np.arange(DEPTH - 1, -1, -1)
_TENSORS: Final = ("inputs", "edges", "leaves")


@dataclass(frozen=True, slots=True)
class BoostedTrees:
    """Sum of trees, each a function of `DEPTH` numeric inputs.

    Attributes:
        inputs: Column that each level compares, `(trees, DEPTH)`.
        edges: Value above which a row takes the second branch, `(trees, DEPTH)`.
        leaves: Logit that a leaf adds, `(trees, 2 ** DEPTH)`; the first comparison is the highest bit of its place.
    """

    inputs: NDArray[np.int64]
    edges: NDArray[np.float32]
    leaves: Floats

    @classmethod
    def none(cls) -> "BoostedTrees":
        """No trees, which add nothing."""
        return cls(np.zeros((0, DEPTH), np.int64), np.zeros((0, DEPTH), np.float32), np.zeros((0, 2**DEPTH)))

    def __len__(self) -> int:
        """Number of trees."""
        return len(self.leaves)

    def fits(self, columns: int) -> bool:
        """Shapes belong together, and all trees read some of `columns` inputs."""
        count = len(self.leaves)
        shapes = (self.inputs.shape, self.edges.shape, self.leaves.shape)
        read = bool(((self.inputs >= 0) & (self.inputs < columns)).all())
        return shapes == ((count, DEPTH), (count, DEPTH), (count, 2**DEPTH)) and read

    def first(self, count: int) -> "BoostedTrees":
        """The first `count` trees."""
        return BoostedTrees(self.inputs[:count], self.edges[:count], self.leaves[:count])

    def logits(self, numeric: NDArray[np.float32]) -> Floats:
        """Compute the sum of the trees for numeric inputs `(n, d)`, `(n,)`."""
        if not len(self):
            return np.zeros(len(numeric))
        blocks = np.array_split(numeric, 1 + len(numeric) // _BLOCK)
        return np.concatenate([self.by_tree(block).sum(axis=1) for block in blocks])

    def by_tree(self, numeric: NDArray[np.float32]) -> Floats:
        """Compute what each tree adds, `(n, trees)`."""
        leaf = (numeric[:, self.inputs] > self.edges) @ _PLACES
        return np.asarray(self.leaves[np.arange(len(self)), leaf])

    def to_tensors(self) -> dict[str, NDArray[np.float32]]:
        """Tensors of the evaluator's file."""
        return {f"trees.{name}": np.ascontiguousarray(getattr(self, name), np.float32) for name in _TENSORS}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Floats]) -> "BoostedTrees | None":
        """Read tensors; None where the file has no trees.

        Raises:
            KeyError: Some of the tensors are missing.
        """
        if not any(f"trees.{name}" in tensors for name in _TENSORS):
            return None
        inputs, edges, leaves = (tensors[f"trees.{name}"] for name in _TENSORS)
        return cls(inputs.astype(np.int64), edges.astype(np.float32), leaves)
