"""Sources of the knowledge of a price response, by name."""

from enum import StrEnum


class IdentifiedBy(StrEnum):
    """Source of the knowledge of a price response."""

    RANDOM_PRICES = "random_prices"
    COST_CHANGES = "cost_changes"
    IMPORTED_INPUTS = "imported_inputs"
    CONFOUNDED = "confounded"
