from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from models.shopper.history import Act, ShopperHistory
from models.shopper.texts import behaviour_text
from models.shopper.weeks import DAY_S, WEEK_S

_PURCHASES = st.lists(st.tuples(st.floats(0, WEEK_S), st.sampled_from("abcdefghij")), min_size=1, max_size=40)


def bought(gaps: list[tuple[float, str]]) -> ShopperHistory:
    history, at_s = ShopperHistory(), 0.0
    for gap, category in gaps:
        at_s += gap
        history.observe(Act("purchase", at_s, category, category, "farm"))
    return history


@given(_PURCHASES, st.floats(0, 3 * 365 * DAY_S))
def test_habits_are_the_same_at_any_later_moment(gaps: list[tuple[float, str]], later_s: float) -> None:
    history = bought(gaps)
    last_s = history.items.last_s
    assert behaviour_text(history, str, last_s) == behaviour_text(history, str, last_s + later_s)


@given(_PURCHASES, st.floats(1, 3 * 365 * DAY_S))
def test_categories_stand_in_the_order_of_their_counts_then(gaps: list[tuple[float, str]], later_s: float) -> None:
    history = bought(gaps)
    at_s = history.items.last_s + later_s
    named = behaviour_text(history, str, at_s).partition(";")[0].removeprefix("often buys ").split(", ")
    counts = [history.categories[name].at(at_s)[1] for name in named]
    others = [tally.at(at_s)[1] for name, tally in history.categories.items() if name not in named]
    assert all(one >= other * (1 - 1e-9) for one, other in pairwise(counts))
    assert all(counts[-1] >= other * (1 - 1e-9) for other in others)
