"""Array types shared by models, service and evaluations."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
