"""Training on generated shops: what is selected, and what is fitted again."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from agent.training.own_rows import situations_of
from eval.own_store.comparison import run_trial
from eval.own_store.shops import SHOPS, simulate_outcomes
from eval.simulators.titles import titles
from models.arrays import Floats
from models.evaluator.evaluator import EvaluatorInputs
from models.training.own_evaluator import Trained, train_own, with_newest
from models.training.own_report import predict
from models.training.own_rows import OwnRows, Split
from models.training.own_segments import elasticities

N = 3_000


def silent(_what: str, _share: float) -> None:
    pass


def simulated(shop: str = "profiles") -> OwnRows:
    return simulate_outcomes(SHOPS[shop], 3, N, 1).rows


def predicted(trained: Trained, rows: OwnRows) -> Floats:
    def situations(some: np.ndarray) -> object:
        return situations_of(trained.rows, some, trained.evaluator)

    return predict(trained.evaluator, rows, np.arange(len(rows.at_s)), situations)  # type: ignore[arg-type]


def test_the_newest_outcomes_are_fitted_once_they_have_evaluated_the_model() -> None:
    rows = simulated("price alone")
    split = Split.by_time(rows.at_s)
    bought = rows.data.bought.copy()
    bought[split.test] = 1.0
    changed = replace(rows, data=replace(rows.data, bought=bought))
    plain, everyone = (train_own(one, split, "t", silent) for one in (rows, changed))
    assert predicted(plain, rows) == pytest.approx(predicted(everyone, rows))
    before, after = (predicted(with_newest(one, "t"), rows).mean() for one in (plain, everyone))
    assert after > before + 0.05


def test_aggregates_give_the_model_of_the_rows_that_they_stand_for() -> None:
    rows = simulated()
    keep, times = np.arange(0, N, 3), 3
    once = partial(_selected, rows)
    repeated, weighted = once(np.repeat(keep, times)), once(keep)
    weighted = replace(weighted, data=replace(weighted.data, weight=np.full(len(keep), times, np.float32)))
    found = []
    for one in (repeated, weighted):
        trained = train_own(one, Split.by_time(one.at_s), "t", silent)
        found.append(predicted(trained, one)[:: times if one is repeated else 1])
        assert trained.choice.trees == 0
    assert found[0] == pytest.approx(found[1], rel=0.01)


def test_elasticities_are_told_by_category_and_product_with_the_prices_seen() -> None:
    rows = simulate_outcomes(SHOPS["categories"], 5, 6_000, 1).rows
    trained = train_own(rows, Split.by_time(rows.at_s), "t", silent)

    def situations(some: np.ndarray) -> EvaluatorInputs:
        return situations_of(trained.rows, some, trained.evaluator)

    found = elasticities(trained.evaluator, trained.rows, np.arange(6_000), situations)
    categories = [one for one in found.segments if one.by == "product.category"]
    assert len(categories) == 10
    assert len({round(one.elasticity[0], 2) for one in categories}) > 5
    assert min(one.elasticity[0] for one in categories) < found.total[0] < max(one.elasticity[0] for one in categories)
    for one in found.segments:
        assert one.elasticity[1] <= one.elasticity[0] <= one.elasticity[2]
        assert [one.lowest, one.highest] == pytest.approx([0.7, 1.2])
        assert one.offers >= 50


def _selected(rows: OwnRows, some: np.ndarray) -> OwnRows:
    data = rows.data
    names = ("numeric", "shopper_row", "product_row", "log_ratio", "rate", "bought", "weight", "returned")
    arrays = {name: getattr(data, name)[some] for name in names}
    cluster = -1 - np.arange(len(some))
    effects = replace(rows.effects, values=rows.effects.values[some])
    return OwnRows(replace(data, **arrays, cluster=cluster), effects, rows.at_s[some], rows.rival[some])


def test_demand_that_stops_rising_at_deep_discounts_halves_the_response_there() -> None:
    rows = simulate_outcomes(SHOPS["price alone"], 3, 12_000, 1).rows
    rng = np.random.default_rng(6)
    split = Split.by_time(rows.at_s)
    later = np.r_[split.validation, split.test]
    ratio = np.log(rng.choice([0.85, 0.9, 1.0, 1.1], len(rows.at_s)))
    ratio[later] = np.log(rng.choice([0.5, 0.6, 0.9, 1.0], len(later)))
    logit = -1.0 - 4.0 * np.maximum(ratio, np.log(0.85))
    bought = (rng.random(len(ratio)) < 1 / (1 + np.exp(-logit))).astype(np.float32)
    changed = replace(rows, data=replace(rows.data, log_ratio=ratio.astype(np.float32), bought=bought))
    trained = train_own(changed, split, "t", silent)
    assert trained.choice.response <= 0.25
    steady = replace(rows, data=replace(rows.data, log_ratio=ratio.astype(np.float32), bought=_at(rng, -1 - 4 * ratio)))
    assert train_own(steady, split, "t", silent).choice.response == 1.0


def _at(rng: np.random.Generator, logit: np.ndarray) -> np.ndarray:
    return np.asarray(rng.random(len(logit)) < 1 / (1 + np.exp(-logit)), np.float32)


def test_titles_tell_of_products_never_sold() -> None:
    kinds = np.random.default_rng(5).standard_normal((12, 384)).astype(np.float32)
    texts, kind = titles("English")

    def encode(_texts: object) -> np.ndarray:
        """Stand for an encoder to which products of one kind are alike."""
        own = np.random.default_rng(6).standard_normal((len(texts), 384)).astype(np.float32)
        return np.asarray(kinds[kind] + 0.3 * own, np.float32)

    told, untold = (run_trial("titles, English", N, 7, one) for one in (encode, None))
    assert told.over_new is not None
    assert untold.over_new is not None
    assert told.over_new < 0.5 * untold.over_new
    assert len(set(texts)) == len(texts) == len(titles("Chinese")[0]) == 240
