"""Displays and mailers of the demo data: which products were promoted in which store and week.

The table lists promoted products of a store and week; a product that is missing there was not promoted. A store and
week without any row were not observed, so that nothing is known of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.evaluator.promotion import Flags
from models.registry.base_weights import JOURNEY_PROMOTIONS

_NONE: Final = "0"  # code of no display and of no mailer
_WEEKS: Final = 100  # more than the data's weeks, for keys of store and week

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Promotions:
    """Promoted products by store and week.

    Attributes:
        promoted: Index (product, store and week), columns `display` and `mailer`.
        observed: Stores and weeks that were observed, sorted.
    """

    promoted: pd.DataFrame
    observed: Ints

    def flags(self, product: Ints, store: Ints, week: Ints) -> Flags:
        """Display and mailer of products in stores and weeks, `(n, 2)`: 1 yes, -1 no, 0 not known."""
        place = store * _WEEKS + week
        asked = pd.MultiIndex.from_arrays([product, place])
        found = self.promoted.reindex(asked, fill_value=False).to_numpy(bool)
        known = np.isin(place, self.observed)
        return np.where(known[:, None], np.where(found, 1, -1), 0).astype(np.float32)


def read_promotions(products: Sequence[int]) -> Promotions:
    """Read the promotions of some products, and which stores and weeks were observed for any.

    Raises:
        BaseWeightsError: The package is missing, or the file's SHA-256 differs from the expected one.
    """
    path = JOURNEY_PROMOTIONS.verified()
    rows = pd.read_parquet(path, filters=[("product_id", "in", list(products))])
    observed = pd.read_parquet(path, columns=["store_id", "week"]).drop_duplicates()
    return promotions(rows, observed)


def promotions(rows: pd.DataFrame, observed: pd.DataFrame) -> Promotions:
    """Promotions of the table's rows; several of one product, store and week count as one."""
    flags = pd.DataFrame(
        {
            "product": rows["product_id"],
            "place": rows["store_id"] * _WEEKS + rows["week"],
            "display": rows["display_location"] != _NONE,
            "mailer": rows["mailer_location"] != _NONE,
        }
    )
    places = np.unique((observed["store_id"] * _WEEKS + observed["week"]).to_numpy(np.int64))
    return Promotions(flags.groupby(["product", "place"]).any(), places)
