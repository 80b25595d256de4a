"""Generated shops, and the sizes that are measured."""

from datetime import UTC, datetime, timedelta

import numpy as np

from agent.domain.records import EventType
from eval.bench.generated_store import ShopSize, product, product_vectors, purchases
from eval.bench.growth import sizes, spread

UNTIL = datetime(2026, 3, 1, tzinfo=UTC)
SIZE = ShopSize(products=50, shoppers=20)


def test_products_do_not_depend_on_the_size_of_their_shop() -> None:
    assert product(7) == product(7)
    assert len({product(number).title for number in range(200)}) == 200
    assert all(one.list_minor and one.cost_minor and one.cost_minor < one.list_minor for one in map(product, range(50)))


def test_vectors_are_of_unit_length_and_nearest_within_their_category() -> None:
    vectors = product_vectors(0, 200)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    cosines = vectors @ vectors.T - 2 * np.eye(200)
    nearest = cosines.argmax(axis=1)
    assert all(product(row).category == product(int(near)).category for row, near in enumerate(nearest))


def test_every_shopper_bought_something_before() -> None:
    events = list(purchases(SIZE, 0, SIZE.shoppers, UNTIL))
    assert len({event.shopper_id for event in events}) == SIZE.shoppers
    assert all(event.type is EventType.PURCHASE and event.product_id for event in events)
    assert all(UNTIL - timedelta(days=121) < event.at < UNTIL for event in events)


def test_sizes_grow_in_one_direction_at_a_time() -> None:
    assert sizes([1, 10], [5, 50, 500]) == [ShopSize(1, 5), ShopSize(10, 5), ShopSize(1, 50), ShopSize(1, 500)]


def test_samples_are_spread_over_all() -> None:
    assert spread(3, 10) == [0, 1, 2]
    assert spread(1_001, 11) == list(range(0, 1_001, 100))
