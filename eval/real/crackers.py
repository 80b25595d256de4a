"""Crackers: four brands on a shelf, one of them bought."""

from typing import Final

import numpy as np
import pandas as pd

from eval.real.data import RIVALS, START, Occasions, RealSet, with_history
from eval.real.sources import crackers

BRANDS: Final = ("sunshine", "kleebler", "nabisco", "private")
COST: Final = 0.7  # of the reference price; the data has none
_HELD_OUT: Final = 0.2  # of each household's occasions, the latest
_CARRY: Final = 0.8  # of loyalty from one occasion to the next (Guadagni and Little 1983)
_DAYS: Final = 730


def cracker_set(table: pd.DataFrame | None = None) -> RealSet:
    """One offer for each brand of each occasion, with the cheapest rival's price and the household's loyalty."""
    table = crackers() if table is None else table
    prices = table[[f"price.{brand}" for brand in BRANDS]].to_numpy(np.float64)
    table = table[(prices > 1).all(axis=1)].reset_index(drop=True)
    prices = np.round(table[[f"price.{brand}" for brand in BRANDS]].to_numpy(np.float64))
    shown = {kind: table[[f"{kind}.{brand}" for brand in BRANDS]].to_numpy(np.float64) for kind in ("disp", "feat")}
    chosen = table["choice"].astype(str).map(BRANDS.index).to_numpy(np.int64)
    count = table.groupby("id")["id"].transform("size").to_numpy()
    elapsed = (table.groupby("id").cumcount().to_numpy() + 0.5) / count
    loyalty = _loyalty(table["id"].to_numpy(), chosen)
    reference = np.quantile(prices[elapsed < 1 - _HELD_OUT], 0.9, axis=0).round()
    n, rows = len(table), len(BRANDS)
    occasion, brand = np.divmod(np.arange(n * rows), rows)
    flat = prices.ravel()
    others = np.where(np.eye(rows, dtype=bool), np.inf, prices[:, None, :]).min(axis=2).ravel()
    minute = pd.to_timedelta(table["id"].to_numpy()[occasion].astype(float), unit="min")
    offers = pd.DataFrame(
        {
            "at": START + pd.to_timedelta(np.floor(elapsed[occasion] * _DAYS), unit="D") + minute,
            "shopper_id": "household " + pd.Series(table["id"].to_numpy()[occasion]).astype(str),
            "product_id": np.asarray(BRANDS)[brand],
            "category": "crackers",
            "price": flat / 100,
            "reference_price": reference[brand] / 100,
            "cost": COST * reference[brand] / 100,
            "bought": (chosen[occasion] == brand).astype(int),
            "weight": 1.0,
            RIVALS: others / 100,
            "profile.loyalty": loyalty.ravel().round(4),
            "context.display": np.where(shown["disp"].ravel() > 0, "yes", "no"),
            "context.feature": np.where(shown["feat"].ravel() > 0, "yes", "no"),
        }
    )
    test = elapsed[occasion] >= 1 - _HELD_OUT
    constants = np.broadcast_to(np.eye(rows)[:, 1:], (n, rows, rows - 1))
    features = np.concatenate(
        [np.stack([np.log(prices / 100), shown["disp"], shown["feat"], loyalty], axis=2), constants], axis=2
    )
    order = np.argsort(offers["at"].to_numpy(), kind="stable")
    offers, test = offers.iloc[order].reset_index(drop=True), test[order]
    return RealSet(
        name="Crackers",
        currency="USD",
        products=pd.DataFrame(
            {
                "product_id": BRANDS,
                "title": [f"{brand} saltine crackers" for brand in BRANDS],
                "category": "crackers",
                "list_price": reference / 100,
                "cost": (COST * reference / 100).round(2),
            }
        ),
        offers=with_history(offers, test),
        test=test,
        interactions=(("profile.loyalty", "product_id"),),
        occasions=Occasions(features, 0, np.ones((n, rows), bool), chosen, occasion[order], brand[order]),
    )


def _loyalty(household: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Loyalty to each brand before each occasion, `(n, brands)`: past choices, exponentially weighted."""
    found = np.empty((len(chosen), len(BRANDS)))
    now, last = np.empty(0), None
    for row, (own, brand) in enumerate(zip(household.tolist(), chosen.tolist(), strict=True)):
        if own != last:
            now, last = np.full(len(BRANDS), 1 / len(BRANDS)), own
        found[row] = now
        now = _CARRY * now + (1 - _CARRY) * (np.arange(len(BRANDS)) == brand)
    return found
