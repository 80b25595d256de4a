"""Generated shops of any size: products with texts from a small grammar, shoppers with a few purchases each.

Vectors of products are generated too, around a centre for each category: encoding a million texts would take an hour or
two. A shopper's purchases lie in the four months before `until`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agent.domain.records import EventRecord, EventType, ProductRecord
from models.encoder.encoder import DIM

CURRENCY: Final = "USD"
_SEED: Final = 2_022
_SPREAD: Final = 0.06  # of a vector's coordinates around its category's centre: cosines of .3 to .5 within one
_DAYS: Final = 120
_MOST_EVENTS: Final = 8
_LOOKS: Final = ("plain", "striped", "soft", "sturdy", "light", "warm", "small", "large", "classic", "folding")
_STUFFS: Final = ("cotton", "linen", "oak", "steel", "wool", "glass", "leather", "bamboo", "ceramic", "cork")
_THINGS: Final = (
    *("mug", "lamp", "chair", "shirt", "blanket", "bottle", "bag", "clock", "bowl", "tray"),
    *("notebook", "pillow", "basket", "scarf", "vase", "hook", "tent", "kettle", "mat", "brush"),
)
_BRANDS: Final = ("Alder", "Birch", "Cedar", "Dogwood", "Elm", "Fir", "Gum", "Hazel", "Ironwood", "Juniper")
_FOR: Final = ("the kitchen", "travel", "the office", "children", "the garden", "winter", "guests", "every day")


@dataclass(frozen=True, slots=True)
class ShopSize:
    """Numbers of products and shoppers."""

    products: int
    shoppers: int


def product_id(number: int) -> str:
    """Id of a product."""
    return f"p{number}"


def shopper_id(number: int) -> str:
    """Id of a shopper."""
    return f"s{number}"


def product(number: int) -> ProductRecord:
    """A product; the same number has the same words and prices in a shop of any size."""
    rng = np.random.default_rng([_SEED, number])
    look, stuff, brand, use = (words[int(rng.integers(len(words)))] for words in (_LOOKS, _STUFFS, _BRANDS, _FOR))
    list_minor = int(rng.integers(300, 20_000))
    thing = _THINGS[number % len(_THINGS)]
    return ProductRecord(
        product_id=product_id(number),
        title=f"{brand} {look} {stuff} {thing} no. {number}",
        currency=CURRENCY,
        list_minor=list_minor,
        cost_minor=round(list_minor * float(rng.uniform(0.4, 0.7))),
        description=f"A {look} {thing} of {stuff} for {use}.",
        category=f"{thing}s",
        brand=brand,
    )


def product_vectors(first: int, count: int) -> NDArray[np.float32]:
    """Unit vectors `(count, 384)` of the products from number `first` on, near the centre of their category."""
    centres = np.random.default_rng(_SEED).standard_normal((len(_THINGS), DIM)).astype(np.float32)
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    rng = np.random.default_rng([_SEED, first, count])
    vectors = centres[np.arange(first, first + count) % len(_THINGS)]
    vectors = vectors + np.float32(_SPREAD) * rng.standard_normal((count, DIM), np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def purchases(size: ShopSize, first: int, count: int, until: datetime) -> Iterator[EventRecord]:
    """Purchases of the shoppers from number `first` on, one to eight each."""
    rng = np.random.default_rng([_SEED, first, count])
    times = rng.integers(1, _MOST_EVENTS + 1, count)
    shoppers = np.repeat(np.arange(first, first + count), times)
    products = rng.integers(0, size.products, len(shoppers))
    ages_s = rng.uniform(60, _DAYS * 86_400, len(shoppers))
    ratios = rng.choice([0.8, 0.9, 1.0, 1.0], len(shoppers))
    prices: dict[int, int] = {}
    for shopper, bought, age_s, ratio in zip(
        shoppers.tolist(), products.tolist(), ages_s.tolist(), ratios.tolist(), strict=True
    ):
        if bought not in prices:
            prices[bought] = product(bought).list_minor or 1
        yield EventRecord(
            shopper_id=shopper_id(shopper),
            type=EventType.PURCHASE,
            at=until - timedelta(seconds=age_s),
            product_id=product_id(bought),
            price_minor=round(prices[bought] * ratio),
            list_minor=prices[bought],
            currency=CURRENCY,
        )
