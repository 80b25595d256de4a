"""Juices: two brands of orange juice, one of them bought."""

from typing import Final

import numpy as np
import pandas as pd

from eval.real.data import RIVALS, START, Occasions, RealSet, with_history
from eval.real.sources import juices

BRANDS: Final = ("CH", "MM")
NAMES: Final = ("Citrus Hill", "Minute Maid")
COST: Final = 0.7  # of the reference price; the data has none
_HELD_OUT: Final = 0.15


def juice_set(table: pd.DataFrame | None = None) -> RealSet:
    """One offer for each brand of each purchase; the reference price is the price before its discount.

    The data names no shoppers; their loyalty to the brand is known.
    """
    table = (juices() if table is None else table).copy()
    table = table.sort_values("WeekofPurchase", kind="stable").reset_index(drop=True)
    price = table[[f"SalePrice{brand}" for brand in BRANDS]].to_numpy(np.float64)
    listed = table[[f"Price{brand}" for brand in BRANDS]].to_numpy(np.float64)
    special = table[[f"Special{brand}" for brand in BRANDS]].to_numpy(np.float64)
    first = table["LoyalCH"].to_numpy(np.float64)
    loyalty = np.stack([first, 1 - first], axis=1)
    chosen = table["Purchase"].astype(str).map(BRANDS.index).to_numpy(np.int64)
    n, rows = len(table), len(BRANDS)
    occasion, brand = np.divmod(np.arange(n * rows), rows)
    weeks = table["WeekofPurchase"].to_numpy(np.float64) - float(table["WeekofPurchase"].min())
    minutes = (np.arange(n) % (7 * 24 * 60)).astype(float)
    at = START + pd.to_timedelta(weeks * 7, unit="D") + pd.to_timedelta(minutes, unit="min")
    order = np.argsort(np.asarray(at)[occasion], kind="stable")
    offers = pd.DataFrame(
        {
            "at": at[occasion],
            "shopper_id": [f"purchase {number}" for number in occasion],
            "product_id": np.asarray(BRANDS)[brand],
            "category": "orange juice",
            "price": price.ravel(),
            "reference_price": listed.ravel(),
            "cost": COST * listed.ravel(),
            "bought": (chosen[occasion] == brand).astype(int),
            "weight": 1.0,
            RIVALS: price[:, ::-1].ravel(),
            "profile.loyalty": loyalty.ravel().round(4),
            "context.special": np.where(special.ravel() > 0, "yes", "no"),
            "context.location": "store " + pd.Series(table["StoreID"].to_numpy()[occasion]).astype(str),
        }
    )
    test = occasion >= round(n * (1 - _HELD_OUT))
    features = np.stack([np.log(price), special, loyalty, np.broadcast_to([0.0, 1.0], (n, rows))], axis=2)
    offers, test = offers.iloc[order].reset_index(drop=True), test[order]
    usual = np.median(listed, axis=0).round(2)
    return RealSet(
        name="Juices",
        currency="USD",
        products=pd.DataFrame(
            {
                "product_id": BRANDS,
                "title": [f"{name} orange juice" for name in NAMES],
                "category": "orange juice",
                "list_price": usual,
                "cost": (COST * usual).round(2),
            }
        ),
        offers=with_history(offers, test),
        test=test,
        interactions=(("profile.loyalty", "product_id"),),
        occasions=Occasions(features, 0, np.ones((n, rows), bool), chosen, occasion[order], brand[order]),
    )
