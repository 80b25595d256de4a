"""Design matrices in factored form, whose weighted sums over rows are cheap.

A matrix `(n, k)` is `cells @ mix`. An ordinary column is a cell of its own. A block of numbers by product, such as the
text effects, has one cell a product, 1 in its rows, and the numbers in `mix` `(c, k)`: sums over rows touch one cell a
row instead of one number a column, and are multiplied by the products' numbers once. Dense columns that do not vary
are multiples of one cell of ones.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from models.arrays import Floats

Places = slice | NDArray[np.integer] | NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class FactoredMatrix:
    """The matrix `cells @ mix`.

    Attributes:
        cells: `(n, c)`, sparse or dense. `mix`: `(c, k)`.
    """

    cells: sparse.csr_matrix | Floats
    mix: sparse.csr_matrix

    @classmethod
    def of_columns(cls, columns: sparse.spmatrix) -> Self:
        """Make the matrix of ordinary columns."""
        return cls(columns.tocsr(), sparse.identity(columns.shape[1], format="csr"))

    @classmethod
    def of_dense(cls, columns: NDArray[np.floating]) -> Self:
        """Make the matrix of dense columns; those that do not vary share one cell."""
        n, k = columns.shape
        first = columns[:1].astype(np.float64)
        varies = (columns != columns[:1]).any(axis=0) if n else np.ones(k, bool)
        if varies.all():
            return cls(columns.astype(np.float64), sparse.identity(k, format="csr"))
        place = np.flatnonzero(varies)
        cells = np.ones((n, len(place) + 1))
        cells[:, :-1] = columns[:, place]
        single = sparse.csr_matrix((np.ones(len(place)), (np.arange(len(place)), place)), (len(place), k))
        return cls(cells, sparse.vstack([single, sparse.csr_matrix(np.where(varies, 0.0, first))], format="csr"))

    @classmethod
    def of_groups(cls, group: NDArray[np.int64], numbers: Floats) -> Self:
        """Make the matrix whose rows are those of `numbers` `(groups, k)` that `group` `(n,)` names."""
        n = len(group)
        cells = sparse.csr_matrix((np.ones(n), (np.arange(n), group)), (n, len(numbers)))
        return cls(cells, sparse.csr_matrix(numbers))

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return self.cells.shape[0], self.mix.shape[1]

    def __matmul__(self, other: Floats) -> Floats:
        """Multiply by a vector `(k,)` or a matrix `(k, m)`."""
        return np.asarray(self.cells @ (self.mix @ other))

    def __getitem__(self, rows: Places) -> "FactoredMatrix":
        """Select rows."""
        return FactoredMatrix(self.cells[rows], self.mix)

    def columns(self, wanted: ArrayLike) -> "FactoredMatrix":
        """Select columns, with the cells that they need."""
        mix = self.mix[:, np.asarray(wanted)]
        needed = np.flatnonzero(np.diff(mix.indptr))
        return FactoredMatrix(self.cells[:, needed], mix[needed])

    def counts(self) -> NDArray[np.int64]:
        """Number of rows in which each column is not 0, `(k,)`, where no row has two cells of one column."""
        rows = np.asarray((self.cells != 0).sum(axis=0)).ravel()
        return np.asarray((self.mix != 0).T @ rows, np.int64)

    def to_sparse(self) -> sparse.csr_matrix:
        """Multiply out."""
        return sparse.csr_matrix(self.cells @ self.mix)

    def beside(self, *others: "FactoredMatrix") -> "FactoredMatrix":
        """Append the columns of others with the same rows, all sparse or all dense."""
        parts = [part.cells for part in (self, *others)]
        cells = sparse.hstack(parts, format="csr") if sparse.issparse(parts[0]) else np.concatenate(parts, axis=1)
        return FactoredMatrix(cells, sparse.block_diag([part.mix for part in (self, *others)], format="csr"))

    def scaled(self, by: Floats) -> "FactoredMatrix":
        """Multiply each row by a number of its own."""
        if sparse.issparse(self.cells):
            return FactoredMatrix((sparse.diags(by) @ self.cells).tocsr(), self.mix)
        return FactoredMatrix(self.cells * by[:, None], self.mix)

    def gram(self, weight: Floats) -> Floats:
        """Compute X' W X, `(k, k)`, for row weights W."""
        found = self.sparse_gram(weight)
        return np.asarray(found.toarray() if sparse.issparse(found) else found)

    def sparse_gram(self, weight: Floats) -> Any:
        """Compute X' W X as `gram` does, sparse where the cells are."""
        root = self.scaled(np.sqrt(weight)).cells
        cells = root.T @ root  # of a dense array and itself: half of the products
        return self.mix.T @ cells @ self.mix

    def transposed_dot(self, other: "Floats | sparse.spmatrix | FactoredMatrix") -> Floats:
        """Compute X' Y for Y `(n,)` or `(n, m)`."""
        if isinstance(other, FactoredMatrix):
            return np.asarray(self.transposed_dot(other.cells) @ other.mix)
        found = self.mix.T @ (self.cells.T @ other)
        return np.asarray(found.toarray() if sparse.issparse(found) else found)

    def left_dot(self, other: sparse.spmatrix) -> Floats:
        """Compute Y X for a sparse Y `(m, n)`."""
        return np.asarray(((other @ self.cells) @ self.mix).toarray())
