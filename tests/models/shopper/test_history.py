import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.shopper.history import SESSION_S, Act, ShopperHistory, recent_items
from models.shopper.tallies import DECAYS_S, Tally
from models.shopper.weeks import DAY_S, WEEK_S


def bought(at_s: float, product: str = "milk", category: str = "dairy", ratio: float = 1.0, paid: int = 100) -> Act:
    return Act("purchase", at_s, product, category, "farm", ratio, paid)


@given(st.lists(st.floats(0, 1e7), min_size=1, max_size=20), st.floats(0, 1e7))
def test_a_tally_is_the_sum_of_decayed_purchases(gaps: list[float], later: float) -> None:
    times = [sum(gaps[: index + 1]) for index in range(len(gaps))]
    tally = Tally()
    for at_s in times:
        tally.add(at_s, 0.0)
    now = times[-1] + later
    expected = tuple(sum(math.exp(-(now - at_s) / decay) for at_s in times) for decay in DECAYS_S)
    assert tally.at(now) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_purchases_within_hours_are_one_trip() -> None:
    history = ShopperHistory()
    for at_s in (0.0, 600.0, 3 * DAY_S):
        history.observe(bought(at_s))
    assert (history.trips.times, history.items.times) == (2, 3)


def test_due_is_one_when_the_usual_interval_has_passed() -> None:
    history = ShopperHistory()
    for week in (0, 2, 4):
        history.observe(bought(week * WEEK_S))
    assert history.products["milk"].due(6 * WEEK_S) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("weeks", "now", "expected"),
    [([], 0, "new"), ([1], 2, "occasional"), ([1, 2, 3, 4], 5, "regular"), ([1, 2, 3, 4], 30, "lapsed")],
)
def test_loyalty_follows_the_purchases_of_a_category(weeks: list[int], now: int, expected: str) -> None:
    history = ShopperHistory()
    for week in weeks:
        history.observe(bought(week * WEEK_S))
    assert history.loyalty("dairy", now * WEEK_S) == expected


def test_intent_counts_this_session_and_stays_within_bounds() -> None:
    history = ShopperHistory()
    for at_s in range(20):
        history.observe(Act("add_to_cart", float(at_s), "milk", "dairy", "farm"))
    assert history.intent("milk", "dairy", 60.0) == 4.0
    assert history.intent("cheese", "dairy", 60.0) > 0
    assert history.intent("soap", "household", 60.0) == 0
    assert history.intent("milk", "dairy", 60.0 + SESSION_S + 20) == 0


acts = st.builds(
    Act,
    type=st.sampled_from(["purchase", "view", "decline"]),
    at_s=st.floats(0, 1e6),
    product=st.sampled_from(["", "milk", "cheese", "soap"]),
    category=st.sampled_from(["", "dairy", "household"]),
    brand=st.sampled_from(["", "farm"]),
    price_ratio=st.floats(0.5, 1.5),
    price_minor=st.integers(1, 500),
)


@given(st.lists(acts, max_size=40), st.integers(0, 40))
def test_followed_by_equals_observing_all_events_and_leaves_the_first_history_unchanged(
    events: list[Act], cut: int
) -> None:
    events.sort(key=lambda act: act.at_s)
    first, again, whole = ShopperHistory(), ShopperHistory(), ShopperHistory()
    for act in events[:cut]:
        first.observe(act)
        again.observe(act)
    for act in events:
        whole.observe(act)
    assert first.followed_by(events[cut:]) == whole
    assert first == again


def test_recent_items_are_the_latest_before_the_moment_and_weigh_by_age() -> None:
    history = ShopperHistory()
    for week in range(30):
        history.observe(bought(week * WEEK_S, product=f"p{week}"))
    items = recent_items(history, 20 * WEEK_S)
    assert items.products[0] == "p19"
    assert all(int(product[1:]) < 20 for product in items.products)
    assert items.weights[8] == pytest.approx(items.weights[0] / 2)


def test_declined_offers_are_counted_apart_from_purchases_and_sessions() -> None:
    history = ShopperHistory()
    assert not history.known
    for day, product in enumerate(["milk", "milk", "cheese"]):
        history.observe(Act("decline", day * 86_400.0, product, "dairy", "farm", price_ratio=1.1))
    assert history.known
    assert {product: tally.times for product, tally in history.declined.items()} == {"milk": 2, "cheese": 1}
    assert (history.declined_categories["dairy"].times, history.declines.times) == (3, 3)
    assert (history.items.times, list(history.session), dict(history.products)) == (0, [], {})
    assert recent_items(history, 1e9).products == ()
    assert history.loyalty("dairy", 1e6) == "new"
