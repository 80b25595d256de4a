"""Real data as a shop's own: products, offers with their outcomes, and features that anyone would think of."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.arrays import Floats

START: Final = pd.Timestamp("2025-01-01", tz="UTC")
SITUATION: Final = ("profile.", "context.")
RIVALS: Final = "context.competitor_prices"
SEEN: Final = "seen."


@dataclass(frozen=True, slots=True)
class Occasions:
    """Choices of one among several alternatives, for a conditional logit; absent alternatives are not `available`.

    Attributes:
        features: `(n, alternatives, f)`; the log price is in the column `price`.
        available: `(n, alternatives)`.
        chosen: Alternative taken, `(n,)`.
        occasion, alternative: Of each row of the offers.
    """

    features: Floats
    price: int
    available: NDArray[np.bool_]
    chosen: NDArray[np.int64]
    occasion: NDArray[np.int64]
    alternative: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class RealSet:
    """One set of real data.

    Attributes:
        products: `product_id`, `title`, `category`, `list_price`, `cost`.
        offers: One row an offer, in order of time: `at`, `shopper_id`, `product_id`, `category`, `price`,
            `reference_price`, `cost`, `bought`, `weight`, and what is known of the situation by the names that `import`
            takes (`profile.X`, `context.X`). Columns `seen.X` are a shopper's history, for peers alone: Pricesmith
            keeps histories itself.
        test: Rows that are held out.
        interactions: Pairs of columns whose product belongs to a logit's obvious features.
    """

    name: str
    currency: str
    products: pd.DataFrame
    offers: pd.DataFrame
    test: NDArray[np.bool_]
    interactions: tuple[tuple[str, str], ...] = ()
    occasions: Occasions | None = None

    @property
    def situation(self) -> list[str]:
        """Columns that describe the situation, as `import` and `score` take them."""
        return [name for name in self.offers.columns if name.startswith(SITUATION)]


Builder = Callable[[], RealSet]


def with_history(offers: pd.DataFrame, test: NDArray[np.bool_]) -> pd.DataFrame:
    """Add the purchases and declines of each row's shopper before it, of the product and of its category.

    Outcomes of rows that are held out are never counted, as no model learns from them.
    """
    known = offers[~test]
    found = offers.copy()
    for level, keys in (("product", ["shopper_id", "product_id"]), ("category", ["shopper_id", "category"])):
        by_time = known.groupby([*keys, "at"], as_index=False).agg(bought=("bought", "sum"), offers=("bought", "size"))
        running = by_time.groupby(keys)[["bought", "offers"]].cumsum()
        by_time[["bought", "offers"]] = running
        by_time["last"] = by_time["at"].where(by_time["bought"] > by_time.groupby(keys)["bought"].shift(fill_value=0))
        by_time["last"] = by_time.groupby(keys)["last"].ffill()
        joined = pd.merge_asof(
            offers[[*keys, "at"]].reset_index().sort_values("at", kind="stable"),
            by_time.sort_values("at", kind="stable"),
            on="at",
            by=keys,
            allow_exact_matches=False,
        ).set_index("index")
        days = (joined["at"] - joined["last"]).dt.total_seconds() / 86_400
        found[f"{SEEN}{level}_bought"] = np.log1p(joined["bought"].fillna(0))
        found[f"{SEEN}{level}_share"] = joined["bought"].fillna(0) / (joined["offers"].fillna(0) + 1)
        found[f"{SEEN}{level}_new"] = joined["offers"].isna().astype(float)
        found[f"{SEEN}{level}_days"] = np.log1p(days.fillna(365.0))
    return found


def in_time(offers: pd.DataFrame, test: NDArray[np.bool_]) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    """Sort rows by time, with their marks."""
    order = np.argsort(offers["at"].to_numpy(), kind="stable")
    return offers.iloc[order].reset_index(drop=True), test[order]
