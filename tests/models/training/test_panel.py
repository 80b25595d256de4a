from functools import cache

import numpy as np
import pandas as pd
import pytest

from models.datasets.complete_journey import Journey
from models.training.panel import Panel, PanelBuilder, PanelConfig, panel_products

WEEK_S = 7 * 86_400
START_S = 1_483_315_200  # 2017-01-02, a Monday
CONFIG = PanelConfig(first_week=9, last_week=52, rate_a=1.0, rate_b=1.0)


@cache
def receipts() -> pd.DataFrame:
    """Twenty households, eight products of three categories, two stores, 52 weeks; deals every sixth week."""
    rng = np.random.default_rng(5)
    rows = []
    for week in range(1, 53):
        for household in range(20):
            if rng.random() < 0.3:
                continue
            at_s = START_S + (week - 1) * WEEK_S + int(rng.integers(0, WEEK_S))
            for product in rng.choice(8, size=int(rng.integers(1, 5)), replace=False):
                regular = 1.0 + 0.5 * product
                loyalty = round(regular * (0.8 if (week + product) % 6 == 0 else 1.0), 2)
                rows.append((household, household % 2, int(product), 1, week, at_s, regular, loyalty, loyalty))
    columns = ["household_id", "store_id", "product_id", "quantity", "week", "at_s", "regular", "loyalty", "paid"]
    return pd.DataFrame(rows, columns=columns).sort_values("at_s", kind="stable").reset_index(drop=True)


PRODUCTS = pd.DataFrame(
    {
        "product_id": range(8),
        "title": [f"product {index}" for index in range(8)],
        "category": ["tea", "tea", "tea", "soap", "soap", "soap", "bread", "bread"],
        "brand": ["store brand", "national brand"] * 4,
        "department": "grocery",
        "package_size": "",
    }
)


def build(frame: pd.DataFrame, config: PanelConfig = CONFIG) -> Panel:
    return PanelBuilder(Journey(frame, PRODUCTS, pd.DataFrame()), config).build()


@pytest.fixture(scope="module")
def panel() -> Panel:
    return build(receipts())


def test_the_panel_has_both_strata_and_both_labels(panel: Panel) -> None:
    assert 0 < panel.bought.mean() < 1
    assert 0 < panel.stratum_a.mean() < 1


def test_features_prices_and_references_do_not_depend_on_later_weeks(panel: Panel) -> None:
    changed = receipts().copy()
    future = changed["week"] > 40
    for column in ("regular", "loyalty", "paid"):
        changed.loc[future, column] = changed.loc[future, column] * 3
    changed = changed.loc[~(future & (changed["household_id"] % 3 == 0))].reset_index(drop=True)
    other = build(changed)
    before, after = panel.week <= 40, other.week <= 40
    assert before.sum() == after.sum() > 1_000
    assert np.array_equal(panel.features[before], other.features[after])
    assert np.array_equal(panel.log_ratio[before], other.log_ratio[after])
    assert np.array_equal(panel.reference_minor[before], other.reference_minor[after])
    texts = panel.state[before].max() + 1
    assert panel.texts[:texts] == other.texts[:texts]


def test_features_of_a_week_do_not_depend_on_that_week(panel: Panel) -> None:
    changed = receipts().copy()
    changed.loc[changed["week"] == 30, ["paid"]] *= 0.5
    other = build(changed)
    rows, same = panel.week <= 30, other.week <= 30
    assert np.array_equal(panel.features[rows], other.features[same])
    assert not np.array_equal(panel.features[panel.week > 30], other.features[other.week > 30])


def test_the_offered_price_does_not_depend_on_the_households_own_receipts(panel: Panel) -> None:
    changed = receipts().copy()
    own = (changed["household_id"] == 4) & (changed["week"] >= 9)
    changed.loc[own, "loyalty"] = changed.loc[own, "loyalty"] * 0.5
    other = build(changed, PanelConfig(first_week=9, last_week=52, rate_a=1.0, rate_b=1.0))
    mine, still = panel.household == 4, other.household == 4
    assert np.array_equal(panel.log_ratio[mine], other.log_ratio[still])


def test_weights_correct_for_the_sampling_of_negatives() -> None:
    whole, sampled = (
        build(receipts()),
        build(receipts(), PanelConfig(first_week=9, last_week=52, rate_a=0.5, rate_b=0.25)),
    )
    assert sampled.weight.sum() == pytest.approx(whole.weight.sum(), rel=0.05)
    assert sampled.bought.sum() == whole.bought.sum()


def test_products_need_steady_regular_prices_and_deals() -> None:
    assert panel_products(receipts(), 1500) == list(range(8))
    wild = receipts().copy()
    wild.loc[wild["product_id"] == 3, "regular"] *= np.random.default_rng(1).uniform(
        0.5, 1.5, (wild["product_id"] == 3).sum()
    )
    assert 3 not in panel_products(wild, 1500)
    no_deals = receipts().copy()
    no_deals.loc[no_deals["product_id"] == 5, "loyalty"] = no_deals["regular"]
    assert 5 not in panel_products(no_deals, 1500)


def test_return_labels_are_missing_where_eight_weeks_have_not_passed(panel: Panel) -> None:
    assert np.isnan(panel.returned[panel.week >= 45]).all()
    assert not np.isnan(panel.returned[panel.week <= 40]).any()


def test_promoted_weeks_leave_the_reference_price_at_the_regular_price() -> None:
    changed = receipts().copy()
    promoted = changed["week"].between(13, 34)
    for column in ("loyalty", "paid"):
        changed.loc[promoted, column] = changed.loc[promoted, "regular"] * 0.6
    found = build(changed)
    after = (found.week >= 22) & (found.week <= 34)
    assert after.sum() > 1_000
    assert found.reference_minor[after] == pytest.approx(100 * (1.0 + 0.5 * found.product[after]))
    assert np.exp(found.log_ratio[after]) == pytest.approx(0.6, abs=0.01)


def test_the_store_of_a_visit_is_kept(panel: Panel) -> None:
    assert np.array_equal(panel.store, panel.household % 2)
