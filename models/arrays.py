"""Array types shared by models, service and evaluations, and what is computed of any array."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def principal_directions(centred: NDArray[np.floating], count: int) -> Floats:
    """Compute the first principal directions `(dim, count)` of centred rows `(n, dim)`, largest component positive."""
    _, _, rows = np.linalg.svd(centred, full_matrices=False)
    signs = np.sign(rows[np.arange(len(rows)), np.abs(rows).argmax(1)])
    return np.asarray((rows * signs[:, None])[:count].T, np.float64)
