"""Demo data: Complete Journey grocery transactions, read from their package and cleaned.

The package's README calls the data simulated and for education only; no figure computed from it describes real
shoppers. Unit prices (q = quantity): regular = (sales_value + retail_disc + coupon_match_disc) / q,
loyalty = (sales_value + coupon_match_disc) / q, paid = (sales_value - coupon_disc) / q.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from models.registry.base_weights import JOURNEY_DEMOGRAPHICS, JOURNEY_PRODUCTS, JOURNEY_TRANSACTIONS

CURRENCY: Final = "USD"
DEMO: Final = "Complete Journey demo data"
LAST_WEEK: Final = 52
_DROPPED_DEPARTMENTS: Final = ("FUEL", "MISCELLANEOUS", "COUPON")
_ABBREVIATIONS: Final = {
    "FRZN": "frozen",
    "PKGD": "packaged",
    "SALD": "salad",
    "DRSNG": "dressing",
    "SNDWCH": "sandwich",
    "SPRD": "spread",
    "RFRGRTD": "refrigerated",
    "REFRGRATD": "refrigerated",
    "DNRS": "dinners",
    "VEG": "vegetables",
    "CHOC": "chocolate",
    "CARB": "carbonated",
    "GM": "general merchandise",
    "SS": "single serve",
    "RTS": "ready to serve",
    "MISC": "miscellaneous",
    "SW GDS": "sweet goods",
    "PNT BTR": "peanut butter",
    "HH": "household",
    "EXTRNL": "external",
    "BTLE": "bottle",
}


@dataclass(frozen=True, slots=True)
class Journey:
    """Cleaned tables.

    Attributes:
        receipts: One row per receipt line, in time order: household_id, store_id, product_id, quantity, week,
            at_s (Unix seconds), regular, loyalty, paid (dollars per unit).
        products: One row per product on a receipt: product_id, title, category, brand, department, package_size.
        demographics: household_id, age, income, home_ownership, and family columns, which are never used.
    """

    receipts: pd.DataFrame
    products: pd.DataFrame
    demographics: pd.DataFrame


def read_journey() -> Journey:
    """Read and clean the demo data.

    Raises:
        BaseWeightsError: The package is missing, or a file's SHA-256 differs from the expected one.
    """
    products = pd.read_parquet(JOURNEY_PRODUCTS.verified())
    receipts = pd.read_parquet(JOURNEY_TRANSACTIONS.verified())
    demographics = pd.read_parquet(JOURNEY_DEMOGRAPHICS.verified())
    sellable = products.loc[~products["department"].isin(_DROPPED_DEPARTMENTS)]
    keep = (
        receipts["quantity"].between(1, 20)
        & (receipts["sales_value"] > 0)
        & (receipts["week"] <= LAST_WEEK)
        & receipts["product_id"].isin(sellable["product_id"])
    )
    receipts = receipts.loc[keep].sort_values("transaction_timestamp", kind="stable").reset_index(drop=True)
    quantity = receipts["quantity"].to_numpy()
    net = receipts["sales_value"] + receipts["coupon_match_disc"]
    cleaned = pd.DataFrame(
        {
            "household_id": receipts["household_id"],
            "store_id": receipts["store_id"],
            "product_id": receipts["product_id"],
            "quantity": quantity,
            "week": receipts["week"],
            "at_s": receipts["transaction_timestamp"].to_numpy("datetime64[s]").astype(np.int64),
            "regular": ((net + receipts["retail_disc"]) / quantity).round(4),
            "loyalty": (net / quantity).round(4),
            "paid": ((receipts["sales_value"] - receipts["coupon_disc"]) / quantity).round(4),
        }
    )
    sold = sellable.loc[sellable["product_id"].isin(cleaned["product_id"].unique())]
    return Journey(cleaned, _describe(sold), demographics)


def _describe(products: pd.DataFrame) -> pd.DataFrame:
    category = _all_readable(products["product_category"].fillna(products["department"]))
    kind = _all_readable(products["product_type"].fillna(products["product_category"]).fillna(products["department"]))
    size = products["package_size"].fillna("").str.strip()
    title = kind.str.cat(size, sep=" ").str.strip()
    return pd.DataFrame(
        {
            "product_id": products["product_id"],
            "title": title,
            "category": category,
            "brand": np.where(products["brand"] == "Private", "store brand", "national brand"),
            "department": _all_readable(products["department"]),
            "package_size": size,
        }
    ).reset_index(drop=True)


def _all_readable(labels: pd.Series) -> pd.Series:
    """`_readable` of a column: many products share few labels, so that each is rewritten once."""
    return labels.map({label: _readable(label) for label in labels.unique()})


def _readable(label: str) -> str:
    """Turn a till label such as `FRZN MEAT/MEAT DINNERS` into words."""
    text = str(label).upper()
    for short, long in _ABBREVIATIONS.items():
        text = f" {text} ".replace(f" {short} ", f" {long} ").strip()
    words = text.replace("/", " ").replace("&", " and ").replace(":", " ").replace("-", " ").lower()
    return " ".join(words.replace("(", " ").replace(")", " ").split())
