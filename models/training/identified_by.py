"""Sources of the knowledge of a price response, by name."""

from enum import StrEnum
from typing import Final

IDENTIFIED_BY: Final = "identified_by"
"""Name under which the meta of a version has it."""
SATISFACTION: Final = "satisfaction_source"
"""Name under which the meta has the source of what is known of satisfaction."""
PRIORS: Final = "priors"
"""Name under which the meta lists the constants that no outcome told anything of."""


class IdentifiedBy(StrEnum):
    """Source of the knowledge of a price response."""

    RANDOM_PRICES = "random_prices"
    COST_CHANGES = "cost_changes"
    IMPORTED_INPUTS = "imported_inputs"
    CONFOUNDED = "confounded"
