"""Products of effects, found by a score test."""

import numpy as np
import pytest

from models.evaluator.lesson import CROSSED, Term, group_of
from models.training.own_crossings import Scores, with_crossings
from models.training.own_rows import EffectBuilder, EffectColumns

N = 4_000


def columns(product: np.ndarray, segment: np.ndarray) -> EffectColumns:
    builder = EffectBuilder(len(product))
    builder.add(
        range(len(product)),
        [
            [
                Term("all", 1.0, 2.5, 1.5),
                Term(f"product=p{own}", 1.0, 0.8, 0.5, independent=True),
                Term(f"profile.segment={kind}", 1.0, 0.7, 0.5),
            ]
            for own, kind in zip(product.tolist(), segment.tolist(), strict=True)
        ],
    )
    return builder.columns()


def scores(rng: np.random.Generator, logit: np.ndarray) -> Scores:
    """Scores of a model that knows no effect at all, where the truth is `logit`."""
    bought = (rng.random(len(logit)) < 1 / (1 + np.exp(-logit))).astype(float)
    rate = bought.mean()
    return Scores(bought - rate, np.full(len(logit), rate * (1 - rate)), rng.uniform(-0.3, 0.3, len(logit)))


@pytest.mark.parametrize("seed", range(5))
def test_a_product_that_one_segment_prefers_is_found_and_noise_is_not(seed: int) -> None:
    rng = np.random.default_rng(seed)
    product, segment = rng.integers(4, size=N), rng.integers(3, size=N)
    effects = columns(product, segment)
    preferred = np.where((product + segment) % 2 == 0, 0.8, -0.8)
    found = with_crossings(effects, np.arange(N), scores(rng, preferred), 100)
    assert found.groups[-1] == f"product{CROSSED}profile.segment"
    assert len(found.names) == len(effects.names) + 12
    assert with_crossings(effects, np.arange(N), scores(rng, np.zeros(N)), 100) is effects


def test_a_column_is_the_product_of_its_two_and_its_name_tells_its_group() -> None:
    rng = np.random.default_rng(1)
    product, segment = rng.integers(4, size=N), rng.integers(3, size=N)
    preferred = np.where((product + segment) % 2 == 0, 0.8, -0.8)
    found = with_crossings(columns(product, segment), np.arange(N), scores(rng, preferred), 100)
    values, names = found.values.to_sparse().toarray(), list(found.names)
    for name in names[8:]:
        left, right = name.split(CROSSED)
        assert np.array_equal(
            values[:, names.index(name)], values[:, names.index(left)] * values[:, names.index(right)]
        )
        assert group_of(name) == found.groups[found.group[names.index(name)]]


def test_products_that_find_no_room_are_left_out() -> None:
    rng = np.random.default_rng(2)
    product, segment = rng.integers(4, size=N), rng.integers(3, size=N)
    effects = columns(product, segment)
    preferred = np.where((product + segment) % 2 == 0, 0.8, -0.8)
    assert with_crossings(effects, np.arange(N), scores(rng, preferred), 11) is effects
