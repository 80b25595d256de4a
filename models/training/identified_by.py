"""Sources of the knowledge of a price response, by name."""

from enum import StrEnum
from typing import Final

IDENTIFIED_BY: Final = "identified_by"
"""Name under which the meta of a version has it."""


class IdentifiedBy(StrEnum):
    """Source of the knowledge of a price response."""

    RANDOM_PRICES = "random_prices"
    COST_CHANGES = "cost_changes"
    IMPORTED_INPUTS = "imported_inputs"
    CONFOUNDED = "confounded"
