import numpy as np
import pandas as pd
import pytest

from eval.next_basket.peers import ease, frequency, popularity
from eval.next_basket.protocol import build_task, ranking_scores
from models.datasets.complete_journey import Journey

N_PRODUCTS = 30


def journey(seed: int = 0) -> Journey:
    """Forty households that buy three favourite products, sometimes discounted, and one random product each week."""
    rng = np.random.default_rng(seed)
    lines = []
    for week in range(1, 46):
        for household in range(40):
            favourites = [(household * 3 + k) % N_PRODUCTS for k in range(3)]
            other = int(rng.integers(N_PRODUCTS))
            for product in {*favourites, other}:
                deal = (week + product) % 5 == 0
                lines.append(
                    {
                        "household_id": household,
                        "store_id": 1,
                        "product_id": product,
                        "quantity": 1,
                        "week": week,
                        "at_s": 1_483_228_800 + week * 604_800 + household,
                        "regular": 2.0,
                        "loyalty": 1.5 if deal else 2.0,
                        "paid": 1.5 if deal else 2.0,
                    }
                )
    table = pd.DataFrame(
        {
            "product_id": range(N_PRODUCTS),
            "title": [f"thing {i}" for i in range(N_PRODUCTS)],
            "category": [f"c{i % 5}" for i in range(N_PRODUCTS)],
            "brand": "b",
        }
    )
    return Journey(pd.DataFrame(lines), table, pd.DataFrame())


def test_histories_contain_nothing_of_the_target_week() -> None:
    whole = journey()
    task = build_task(whole, 40, 44, households=10)
    cut = Journey(whole.receipts.loc[whole.receipts["week"] <= 41], whole.products, whole.demographics)
    truncated = build_task(cut, 40, 44, households=10)
    assert len(task.baskets) == 10
    for one, other in zip(task.baskets, truncated.baskets, strict=True):
        assert one.household == other.household
        assert max(act.at_s for act in one.history.recent) < task.at_s
        assert one.history.items.times == other.history.items.times
    assert frequency(task) == pytest.approx(frequency(truncated))
    assert ease(task) == pytest.approx(ease(truncated))


def test_personal_frequency_beats_popularity_if_households_have_favourites() -> None:
    task = build_task(journey(), 40, 44)
    personal, popular = (ranking_scores(task, ranker(task)) for ranker in (frequency, popularity))
    assert personal.ndcg > popular.ndcg + 0.2
    assert personal.households == len(task.baskets)


def test_perfect_scores_reach_one_and_new_products_are_ranked_among_new_ones() -> None:
    task = build_task(journey(), 12, 44)
    perfect = np.zeros((len(task.baskets), len(task.products)))
    for row, basket in enumerate(task.baskets):
        perfect[row, basket.target] = 1
    best = ranking_scores(task, perfect)
    assert [best.recall, best.ndcg] == pytest.approx([1, 1])
    if best.households_new:
        assert [best.recall_new, best.ndcg_new] == pytest.approx([1, 1])
