"""Weekly sales and modal prices of the demo data, in the form a shop would report them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.arrays import Floats
from models.shopper.weeks import WEEK_S


@dataclass(frozen=True, slots=True)
class WeekColumns:
    """Columns of product weeks, one row each: product id, week number, purchases, list and offered price (minor)."""

    products: list[str]
    weeks: "np.ndarray[tuple[int], np.dtype[np.int64]]"
    purchases: Floats
    list_minor: Floats
    price_minor: Floats


def week_columns(receipts: pd.DataFrame) -> WeekColumns:
    """Aggregate receipts to product weeks; list and offered price are the modes of regular and loyalty price."""
    frame = pd.DataFrame(
        {
            "product": receipts["product_id"],
            "week": ((receipts["at_s"] - 4 * 86400) // int(WEEK_S)).astype(np.int64),
            "list": (receipts["regular"] * 100).round().astype(np.int64),
            "price": (receipts["loyalty"] * 100).round().astype(np.int64),
        }
    )
    counts = frame.groupby(["product", "week"], sort=True).size()
    lists = modes(frame, ["product", "week"], "list").reindex(counts.index)
    prices = modes(frame, ["product", "week"], "price").reindex(counts.index)
    index = counts.index.to_frame(index=False)
    return WeekColumns(
        products=index["product"].astype(str).tolist(),
        weeks=index["week"].to_numpy(np.int64),
        purchases=counts.to_numpy(np.float64),
        list_minor=lists.to_numpy(np.float64),
        price_minor=prices.to_numpy(np.float64),
    )


def modes(frame: pd.DataFrame, keys: list[str], value: str) -> "pd.Series[int]":
    """Return the most frequent value of each group, the largest on ties."""
    counted = frame.groupby([*keys, value], sort=False).size().rename("count").reset_index()
    counted = counted.sort_values([*keys, "count", value])
    return counted.groupby(keys, sort=True)[value].last()
