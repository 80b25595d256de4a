"""Grocer: what shoppers of a supermarket bought on a visit, and a sample of what they left."""

from typing import Final

import numpy as np
import pandas as pd

from eval.real.data import START, RealSet, with_history
from eval.real.sources import grocer

_LEAST_SALES: Final = 300
_LEAST_SPREAD: Final = 0.02  # standard deviation of a product's log daily prices
_MOST_UNITS: Final = 20
_OUTLIER: Final = 2.0  # times the product's median price
_KEEPS_DAYS: Final = 7  # a price holds so long after a day with a sale
_REFERENCE: Final = 28, 0.8  # days, and quantile of the prices in them
_DECLINED: Final = 4  # sampled a visit
_TEST_DAYS: Final = 21
_SHOPPERS: Final = 3  # every third
_SEED: Final = 7


def grocer_set(table: pd.DataFrame | None = None) -> RealSet:
    """Purchases of every third shopper, and declined offers sampled from the products that sold in the same week.

    The price of a day is the median of what all shoppers paid; the reference price a high quantile of four weeks.
    """
    lines = _clean(grocer() if table is None else table)
    price = _daily_prices(lines)
    days, products = len(price), price.columns
    window, quantile = _REFERENCE
    reference = price.rolling(window, min_periods=1).quantile(quantile).bfill().to_numpy()
    reference = np.maximum(reference, price.to_numpy())
    sold = lines.groupby(["day", "product"]).size().unstack(fill_value=0).reindex(range(days), fill_value=0)
    week = np.arange(days) // 7
    weekly = sold.reindex(columns=products, fill_value=0).groupby(week).sum().to_numpy()[week] > 0
    offered = weekly & ~np.isnan(price.to_numpy())
    own = lines[lines["shopper"] % _SHOPPERS == 0]
    rows = _with_declined(own, offered, products)
    place = products.get_indexer(rows["product"])
    day = rows["day"].to_numpy()
    cost = lines.groupby("product")["unit_cost"].median()
    category = lines.groupby("product")["category"].first()
    about = own.groupby("shopper")[["age", "area"]].first()
    offers = pd.DataFrame(
        {
            "at": START + pd.to_timedelta(day + 0.5, unit="D"),
            "shopper_id": rows["shopper"].astype(str).to_numpy(),
            "product_id": rows["product"].astype(str).to_numpy(),
            "category": category.loc[rows["product"]].astype(str).to_numpy(),
            "price": np.round(price.to_numpy()[day, place]),
            "reference_price": np.round(reference[day, place]),
            "cost": cost.loc[rows["product"]].round(2).to_numpy(),
            "bought": rows["bought"].to_numpy(),
            "weight": rows["weight"].to_numpy(),
            "profile.age": about["age"].loc[rows["shopper"]].to_numpy(),
            "profile.area": about["area"].loc[rows["shopper"]].to_numpy(),
            "context.weekend": np.where(np.isin((day + 2) % 7, (5, 6)), "yes", "no"),  # the first day is a Wednesday
        }
    ).sort_values("at", kind="stable", ignore_index=True)
    test = (offers["at"] >= START + pd.Timedelta(days=days - _TEST_DAYS)).to_numpy()
    return RealSet(
        name="Grocer",
        currency="TWD",
        products=pd.DataFrame(
            {
                "product_id": products.astype(str),
                "title": [f"article {product}" for product in products],
                "category": category.loc[products].astype(str).to_numpy(),
                "list_price": np.nanmax(reference, axis=0).round(),
                "cost": cost.loc[products].round(2).to_numpy(),
            }
        ),
        offers=with_history(offers, test),
        test=test,
        interactions=(("seen.product_bought", "log_price"),),
    )


def _clean(table: pd.DataFrame) -> pd.DataFrame:
    """Lines of the products that sell often and at more than one price, a row each shopper, day and product."""
    amount = table["AMOUNT"].to_numpy(np.float64)
    lines = pd.DataFrame(
        {
            "day": (pd.to_datetime(table["TRANSACTION_DT"], format="%m/%d/%Y") - pd.Timestamp("2000-11-01")).dt.days,
            "shopper": table["CUSTOMER_ID"],
            "product": table["PRODUCT_ID"],
            "category": table["PRODUCT_SUBCLASS"],
            "age": table["AGE_GROUP"].fillna("unknown").str.strip(),
            "area": table["PIN_CODE"].astype(str).str.strip(),
            "unit": table["SALES_PRICE"] / np.maximum(1.0, amount),
            "unit_cost": table["ASSET"] / np.maximum(1.0, amount),
        }
    )[(amount >= 1) & (amount <= _MOST_UNITS)]
    usual = lines.groupby("product")["unit"].transform("median")
    lines = lines[(lines["unit"] > usual / _OUTLIER) & (lines["unit"] < usual * _OUTLIER)]
    lines = lines[lines.groupby("product")["unit"].transform("size") >= _LEAST_SALES]
    daily = np.log(lines.groupby(["product", "day"])["unit"].median())
    spread = daily.groupby(level="product").std()
    return lines[lines["product"].isin(spread.index[spread >= _LEAST_SPREAD])].reset_index(drop=True)


def _daily_prices(lines: pd.DataFrame) -> pd.DataFrame:
    """Median price of each day and product; nan where nothing sold for a week."""
    daily = lines.groupby(["day", "product"])["unit"].median().unstack()
    return daily.reindex(range(int(lines["day"].max()) + 1)).ffill(limit=_KEEPS_DAYS)


def _with_declined(own: pd.DataFrame, offered: np.ndarray, products: pd.Index) -> pd.DataFrame:
    """Purchases, once a visit and product, and `_DECLINED` others of each visit, weighted for those not drawn."""
    bought = own.drop_duplicates(["shopper", "day", "product"])[["shopper", "day", "product"]]
    bought = bought[offered[bought["day"], products.get_indexer(bought["product"])]]
    rng = np.random.default_rng(_SEED)
    parts = []
    for (shopper, day), visit in bought.groupby(["shopper", "day"])["product"]:
        free = offered[day].copy()
        free[products.get_indexer(visit)] = False
        places = np.flatnonzero(free)
        drawn = rng.choice(places, min(_DECLINED, len(places)), replace=False)
        parts.append((shopper, day, products[drawn], len(places) / max(1, len(drawn))))
    declined = pd.DataFrame(
        {
            "shopper": np.repeat([part[0] for part in parts], [len(part[2]) for part in parts]),
            "day": np.repeat([part[1] for part in parts], [len(part[2]) for part in parts]),
            "product": np.concatenate([part[2] for part in parts]),
            "weight": np.repeat([part[3] for part in parts], [len(part[2]) for part in parts]),
            "bought": 0,
        }
    )
    return pd.concat([bought.assign(weight=1.0, bought=1), declined], ignore_index=True)
