import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.evaluator.utility import Offers, Stock, Weights, utility


def worth(price_ratio: float, cost_ratio: float, elasticity: float, weights: Weights) -> float:
    purchase = 0.1 * price_ratio**-elasticity
    offers = Offers(
        np.asarray(price_ratio),
        np.asarray(cost_ratio),
        np.asarray(purchase),
        np.asarray(0.5),
        np.asarray(0.1),
        np.asarray(0.5),
    )
    return float(utility(offers, weights))


@given(st.floats(0.1, 0.9))
def test_the_reference_price_is_worth_one(cost_ratio: float) -> None:
    assert worth(1.0, cost_ratio, 2.0, Weights()) == pytest.approx(1.0)


def test_profit_peaks_at_the_textbook_markup() -> None:
    cost, elasticity = 0.5, 3.0
    ratios = np.linspace(0.55, 1.4, 400)
    values = [worth(float(ratio), cost, elasticity, Weights(1, 0, 0)) for ratio in ratios]
    assert ratios[int(np.argmax(values))] == pytest.approx(cost * elasticity / (elasticity - 1), abs=0.01)


def test_weight_on_purchases_pulls_the_price_down() -> None:
    gain = [
        worth(0.9, 0.7, 1.5, weights) - worth(1.0, 0.7, 1.5, weights)
        for weights in (Weights(1, 0, 0), Weights(0, 1, 0))
    ]
    assert gain[0] < 0 < gain[1]


@pytest.mark.parametrize(
    ("stock", "word"),
    [(Stock(), "unknown"), (Stock(400, 10.0), "deep"), (Stock(80, 10.0), "normal"), (Stock(5, 10.0), "scarce")],
)
def test_stock_level_is_relative_to_usual_sales(stock: Stock, word: str) -> None:
    assert stock.word == word


@given(st.integers(1, 10_000), st.floats(0.1, 0.95), st.one_of(st.none(), st.floats(0.01, 8)))
def test_more_stock_never_makes_a_unit_dearer(inventory: int, cost: float, weeks_left: float | None) -> None:
    less = Stock(inventory, 10.0, weeks_left).opportunity_cost(cost, 1.0)
    more = Stock(inventory + 50, 10.0, weeks_left).opportunity_cost(cost, 1.0)
    assert more <= less + 1e-12
    assert less >= 0
