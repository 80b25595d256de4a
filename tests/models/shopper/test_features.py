import numpy as np
import pytest

from models.shopper.features import FEATURES, SHARES, Subject, feature_row
from models.shopper.history import Act, ShopperHistory
from models.shopper.product_weeks import ProductWeeks
from models.shopper.weeks import WEEK_S

WEEKS = ProductWeeks.build({}, ([], np.zeros(0, np.int64), np.zeros(0), np.zeros(0), np.zeros(0)))


@pytest.mark.parametrize(
    ("category", "brand", "shares"),
    [("dairy", "farm", (1 / 1.5, 1 / 2, 1 / 2)), ("", "", (1 / 0.5, 0.0, 0.0))],
    ids=["with words", "an id alone"],
)
def test_shares_after_a_single_purchase(category: str, brand: str, shares: tuple[float, ...]) -> None:
    history = ShopperHistory()
    history.observe(Act("purchase", WEEK_S, "milk", category, brand))
    row = feature_row(history, Subject("milk", category, brand, 100.0), WEEKS, WEEK_S)
    assert [row[FEATURES.index(name)] for name in SHARES] == pytest.approx(shares)


def test_shares_of_a_product_never_bought_are_zero() -> None:
    history = ShopperHistory()
    history.observe(Act("purchase", WEEK_S, "milk", "dairy", "farm"))
    row = feature_row(history, Subject("salt", "spices", "mine", 100.0), WEEKS, WEEK_S)
    assert [row[FEATURES.index(name)] for name in SHARES] == [0.0, 0.0, 0.0]
