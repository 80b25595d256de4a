"""Sets of real data, built from small tables of the same layout."""

import numpy as np
import pandas as pd
import pytest

from eval.real.crackers import BRANDS, cracker_set
from eval.real.data import RealSet, with_history
from eval.real.fares import fare_set
from eval.real.grocer import grocer_set
from eval.real.juices import juice_set
from eval.real.peers import conditional_logit, obvious_logit, peers_of

RNG = np.random.default_rng(4)


def crackers(households: int = 20, occasions: int = 20) -> pd.DataFrame:
    n = households * occasions
    table = pd.DataFrame({"id": np.repeat(np.arange(households), occasions)})
    for brand in BRANDS:
        table[f"price.{brand}"] = RNG.integers(60, 120, n).astype(float)
        table[f"disp.{brand}"] = RNG.integers(0, 2, n)
        table[f"feat.{brand}"] = RNG.integers(0, 2, n)
    prices = table[[f"price.{brand}" for brand in BRANDS]].to_numpy()
    utility = -6 * np.log(prices / 100) + RNG.gumbel(size=prices.shape)
    return table.assign(choice=np.asarray(BRANDS)[utility.argmax(axis=1)])


def juices(n: int = 300) -> pd.DataFrame:
    table = pd.DataFrame({"WeekofPurchase": RNG.integers(220, 270, n), "StoreID": RNG.integers(1, 4, n)})
    for brand in ("CH", "MM"):
        table[f"Price{brand}"] = 2.0
        table[f"SalePrice{brand}"] = RNG.choice([1.6, 1.8, 2.0], n)
        table[f"Special{brand}"] = 0
    return table.assign(LoyalCH=RNG.random(n), Purchase=RNG.choice(["CH", "MM"], n))


def fares(respondents: int = 40) -> pd.DataFrame:
    n = respondents * 9
    columns = ["GA", "FIRST", "LUGGAGE", "MALE", "SM_SEATS"]
    table = pd.DataFrame({name: RNG.integers(0, 2, n) for name in columns})
    for name in ["TRAIN_TT", "TRAIN_CO", "TRAIN_HE", "SM_TT", "SM_CO", "SM_HE", "CAR_TT", "CAR_CO"]:
        table[name] = RNG.integers(30, 120, n)
    return table.assign(
        ID=np.repeat(np.arange(respondents), 9),
        GA=0,
        INCOME=2,
        AGE=3,
        WHO=1,
        PURPOSE=1,
        CAR_AV=1,
        CHOICE=RNG.integers(1, 4, n),
    )


def receipts(shoppers: int = 60, products: int = 6, days: int = 119) -> pd.DataFrame:
    n = 9_000
    product = RNG.integers(products, size=n)
    day = RNG.integers(days + 1, size=n)
    amount = RNG.integers(1, 4, n)
    price = np.where((day + product) % 3 == 0, 80, 100) + product
    return pd.DataFrame(
        {
            "TRANSACTION_DT": (pd.Timestamp("2000-11-01") + pd.to_timedelta(day, unit="D")).strftime("%m/%d/%Y"),
            "CUSTOMER_ID": RNG.integers(shoppers, size=n),
            "AGE_GROUP": "30-34 ",
            "PIN_CODE": 115,
            "PRODUCT_SUBCLASS": 100 + product % 2,
            "PRODUCT_ID": 4_700 + product,
            "AMOUNT": amount,
            "ASSET": 60 * amount,
            "SALES_PRICE": price * amount,
        }
    )


SETS = {
    "crackers": lambda: cracker_set(crackers()),
    "juices": lambda: juice_set(juices()),
    "fares": lambda: fare_set(fares()),
    "grocer": lambda: grocer_set(receipts()),
}


@pytest.fixture(scope="module", params=list(SETS))
def data(request: pytest.FixtureRequest) -> RealSet:
    return SETS[request.param]()


def test_offers_are_in_order_of_time_and_have_all_that_import_needs(data: RealSet) -> None:
    offers = data.offers
    assert offers["at"].is_monotonic_increasing
    assert set(offers["product_id"]) <= set(data.products["product_id"])
    assert (offers[["price", "reference_price", "cost", "weight"]] > 0).all(axis=None)
    assert set(offers["bought"]) == {0, 1}
    assert 0.05 < data.test.mean() < 0.5


def test_what_is_held_out_is_no_part_of_any_history(data: RealSet) -> None:
    changed = data.offers.assign(bought=np.where(data.test, 1 - data.offers["bought"], data.offers["bought"]))
    again = with_history(changed, data.test)
    seen = [name for name in data.offers if name.startswith("seen.")]
    assert again[seen].equals(data.offers[seen])


def test_histories_count_what_was_strictly_before() -> None:
    at = pd.to_datetime(["2025-01-01", "2025-01-01", "2025-01-02", "2025-01-03"], utc=True)
    offers = pd.DataFrame(
        {"at": at, "shopper_id": "a", "product_id": ["p", "q", "p", "p"], "category": "c", "bought": [1, 0, 0, 1]}
    )
    found = with_history(offers, np.zeros(4, bool))
    assert np.expm1(found["seen.product_bought"]).round().tolist() == [0, 0, 1, 1]
    assert np.expm1(found["seen.category_bought"]).round().tolist() == [0, 0, 1, 1]
    assert found["seen.product_new"].tolist() == [1, 1, 0, 0]
    assert np.expm1(found["seen.product_days"]).round().tolist()[2:] == [1, 2]


def test_peers_find_that_demand_falls_with_the_price() -> None:
    found = cracker_set(crackers())
    price = found.offers["price"].to_numpy(float)
    for fit in (obvious_logit, lambda data, train: conditional_logit(data, data.occasions, train)):
        demand = fit(found, ~found.test)
        low, high = demand(price * 0.9), demand(price * 1.1)
        assert (low > high).all()
        assert np.average(demand(price)) == pytest.approx(0.25, abs=0.03)


def test_every_peer_predicts_every_row() -> None:
    found = juice_set(juices())
    peers = peers_of(found)
    assert list(peers) == ["logit, obvious features", "LightGBM, monotone", "conditional logit"]
    for demand in peers.values():
        p = demand(found.offers["price"].to_numpy(float))
        assert p.shape == (len(found.offers),)
        assert ((p > 0) & (p < 1)).all()
