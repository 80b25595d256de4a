"""Fares: seats of a planned train, accepted or not at their fare, against train and car."""

from typing import Final

import numpy as np
import pandas as pd

from eval.real.data import RIVALS, START, Occasions, RealSet, with_history
from eval.real.sources import fares

COST: Final = 0.7  # of the reference price; the data has none
_HELD_OUT: Final = 0.2  # of the respondents, the last in an order drawn by chance: the survey asked by groups
_SEED: Final = 7
_TRAIN, _METRO, _CAR = 1, 2, 3
_PURPOSES: Final = {1: "commute", 2: "shopping", 3: "business", 4: "leisure"}
_PAYERS: Final = {1: "self", 2: "employer", 3: "half"}


def fare_set(table: pd.DataFrame | None = None) -> RealSet:
    """One offer a choice task; the reference fare is the median of those that the respondent was asked about.

    Left out are choices that are not known and holders of an annual ticket, whom the fare does not touch.
    """
    table = fares() if table is None else table
    table = table[(table["CHOICE"] != 0) & (table["GA"] == 0)].reset_index(drop=True)
    respondents = np.random.default_rng(_SEED).permutation(table["ID"].unique())
    table = table.set_index("ID").loc[respondents].reset_index()
    fare = table["SM_CO"].to_numpy(np.float64)
    reference = table.groupby("ID")["SM_CO"].transform("median").to_numpy(np.float64)
    drives = (table["CAR_AV"] > 0).to_numpy()
    rivals = np.where(drives, np.minimum(table["TRAIN_CO"], table["CAR_CO"]), table["TRAIN_CO"]).astype(np.float64)
    number = pd.factorize(table["ID"])[0]
    task = table.groupby("ID").cumcount().to_numpy()
    minutes = (number * 60 + task).astype(float)
    offers = pd.DataFrame(
        {
            "at": START + pd.to_timedelta(minutes, unit="min"),
            "shopper_id": "respondent " + table["ID"].astype(str),
            "product_id": "metro seat",
            "category": "rail",
            "price": fare,
            "reference_price": reference,
            "cost": COST * reference,
            "bought": (table["CHOICE"] == _METRO).astype(int),
            "weight": 1.0,
            RIVALS: np.maximum(1.0, rivals),
            "profile.income": table["INCOME"].astype(float),
            "profile.age": table["AGE"].astype(float),
            "profile.sex": np.where(table["MALE"] > 0, "male", "female"),
            "profile.first_class": np.where(table["FIRST"] > 0, "yes", "no"),
            "profile.luggage": table["LUGGAGE"].astype(float),
            "profile.pays": table["WHO"].map(_PAYERS).fillna("unknown"),
            "context.purpose": table["PURPOSE"].map(_PURPOSES).fillna("other"),
            "context.drives": np.where(drives, "yes", "no"),
            "context.minutes": table["SM_TT"].astype(float),
            "context.headway": table["SM_HE"].astype(float),
            "context.seats": np.where(table["SM_SEATS"] > 0, "airline", "usual"),
            "context.train_fare": table["TRAIN_CO"].astype(float),
            "context.train_minutes": table["TRAIN_TT"].astype(float),
            "context.car_cost": table["CAR_CO"].astype(float).where(drives),
            "context.car_minutes": table["CAR_TT"].astype(float).where(drives),
        }
    )
    test = number >= round((number.max() + 1) * (1 - _HELD_OUT))
    usual = float(np.median(reference))
    n = len(table)
    return RealSet(
        name="Fares",
        currency="CHF",
        products=pd.DataFrame(
            {
                "product_id": ["metro seat"],
                "title": ["Seat in the Swissmetro"],
                "category": ["rail"],
                "list_price": [usual],
                "cost": [round(COST * usual, 2)],
            }
        ),
        offers=with_history(offers, test),
        test=test,
        interactions=(("profile.first_class", "log_price"), ("context.purpose", "log_price")),
        occasions=Occasions(
            _features(table),
            0,
            np.stack([np.ones(n, bool), np.ones(n, bool), drives], axis=1),
            table["CHOICE"].to_numpy(np.int64) - 1,
            np.arange(n),
            np.full(n, _METRO - _TRAIN),
        ),
    )


def _features(table: pd.DataFrame) -> np.ndarray:
    """Log price, minutes, headway, and what may prefer one alternative: `(n, 3, f)`, train, metro, car."""
    n = len(table)
    price = np.log(np.maximum(1.0, table[["TRAIN_CO", "SM_CO", "CAR_CO"]].to_numpy(np.float64)))
    minutes = table[["TRAIN_TT", "SM_TT", "CAR_TT"]].to_numpy(np.float64) / 100
    headway = np.stack([table["TRAIN_HE"], table["SM_HE"], np.zeros(n)], axis=1) / 100
    columns = [price, minutes, headway]
    who = {
        "first": table["FIRST"] > 0,
        "male": table["MALE"] > 0,
        "business": table["PURPOSE"] == 3,
        "luggage": table["LUGGAGE"] > 0,
        "old": table["AGE"] >= 4,
        "rich": table["INCOME"] >= 3,
        "paid": table["WHO"] == 2,
    }
    for alternative in (1, 2):
        mark = np.zeros((n, 3))
        mark[:, alternative] = 1.0
        columns.append(mark)
        columns += [mark * values.to_numpy(np.float64)[:, None] for values in who.values()]
    columns.append(price * (table["INCOME"] >= 3).to_numpy(np.float64)[:, None])
    columns.append(minutes * (table["PURPOSE"] == 3).to_numpy(np.float64)[:, None])
    return np.stack(columns, axis=2)
