"""Promotions as inputs of the evaluator: a featured place (display) and advertising to everyone (mailer).

Promotions and low prices go together, so that a price effect estimated without them is too steep. Their effect is added
to the level and depends on shopper and product; the price response is estimated beside it. Where nothing is known of
a promotion the effect is zero, and the level is the mean over promotions.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Flags = NDArray[np.float32]
"""Display and mailer of each row, `(n, 2)`: 1 yes, -1 no, 0 not known."""

PROMOTION: Final = ("display", "mailer")
STATES: Final = ("display", "no_display", "mailer", "no_mailer", "display_and_mailer")


def promotion_flags(rows: Sequence[tuple[bool | None, bool | None]]) -> Flags:
    """Flags of display and mailer, None where not known."""
    found = [[0.0 if one is None else 1.0 if one else -1.0 for one in row] for row in rows]
    return np.asarray(found, np.float32).reshape(len(rows), len(PROMOTION))


def promotion_states(flags: Flags) -> NDArray[np.float32]:
    """Indicators of `STATES`, `(n, 5)`; zeros where nothing is known."""
    display, mailer = flags.T
    columns = (display > 0, display < 0, mailer > 0, mailer < 0, (display > 0) & (mailer > 0))
    return np.stack(columns, axis=1).astype(np.float32)
