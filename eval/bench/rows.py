"""Rows of `make bench`: what is asked, by how many clients, and the goal beside the commit before.

Requests are drawn with a fixed seed, so that every working tree gets the same ones in the same order. Hardly a pair of
shopper and product is asked twice, but where the row says so: a price that stands is answered without being computed.
Shoppers are split: those that are met before anything is measured, those that are asked for once in their turn, and
those that are drawn at random.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

import numpy as np

PAGE: Final = 48
MET: Final = 40
_MOST: Final = 20_000  # requests of one row in one turn
_HOT_PRODUCTS: Final = 200
_SEED: Final = 22
_FEWEST_SHOPPERS: Final = 20
_FEWEST_PRODUCTS: Final = 8 * PAGE


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: the products of a page, or a single one."""

    shopper_id: str
    products: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shop:
    """Shoppers and products of the store under test.

    Attributes:
        met: Quoted before anything is measured.
        fresh: Each quoted once, in the turn that they belong to.
        others: All others, drawn at random.
    """

    met: Sequence[str]
    fresh: Sequence[str]
    others: Sequence[str]
    products: Sequence[str]

    @classmethod
    def of(cls, shoppers: Sequence[str], products: Sequence[str]) -> "Shop":
        """Split shoppers; a shop with few has small groups.

        Raises:
            SystemExit: There are too few shoppers or products to ask for pages.
        """
        if len(shoppers) < _FEWEST_SHOPPERS or len(products) < _FEWEST_PRODUCTS:
            raise SystemExit(
                f"the store has {len(shoppers)} shoppers and {len(products)} products; needed: {_FEWEST_SHOPPERS} and "
                f"{_FEWEST_PRODUCTS}; "
                "remedy: pricesmith prepare --demo, or another --data-dir"
            )
        shuffled = np.random.default_rng(_SEED).permutation(np.asarray(shoppers, object)).tolist()
        met = min(MET, len(shuffled) // 4)
        fresh = (len(shuffled) - met) // 2
        return cls(shuffled[:met], shuffled[met : met + fresh], shuffled[met + fresh :], list(products))


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of several, each of which asks for other things."""

    number: int
    turns: int


Draw = Callable[[Shop, Turn], Iterator[Asked]]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table.

    Attributes:
        name: In the JSON document.
        title: In the table.
        draw: Requests of a turn; None for `/livez`.
        repeats: Requests are asked over and over, after each was asked once.
        goal: Times faster than the commit before, in `figure`.
        like: Row of the bare handler that is the same work to it; None where there is none.
        bare: Goal for the throughput, as a fraction of the bare handler's in that row.
    """

    name: str
    title: str
    clients: int
    quotes: int
    draw: Draw | None
    repeats: bool = False
    figure: str = "p50_ms"
    goal: float | None = None
    like: str | None = None
    bare: float | None = None

    def requests(self, shop: Shop, turn: Turn) -> list[Asked]:
        """The requests of a turn, in the order in which they are asked."""
        if self.draw is None:
            return []
        return list(islice(self.draw(shop, turn), self.clients if self.repeats else _MOST))


def _page_met(shop: Shop, turn: Turn) -> Iterator[Asked]:
    """Pages for shoppers met before, of products that they were not quoted yet and will not be in another row."""
    first = turn.turns * _hot(shop, turn)
    orders = [
        first + _draws(number).permutation(len(shop.products) - first)[turn.number :: turn.turns]
        for number in range(len(shop.met))
    ]
    for start in range(0, len(orders[0]) - PAGE + 1, PAGE):
        for shopper, order in zip(shop.met, orders, strict=True):
            yield _page(shop, shopper, order[start : start + PAGE].tolist())


def _page_fresh(offset: int) -> Draw:
    def draw(shop: Shop, turn: Turn) -> Iterator[Asked]:
        """A page for each shopper of this turn; two rows share them."""
        rng = _draws(turn.number)
        for shopper in shop.fresh[2 * turn.number + offset :: 2 * turn.turns]:
            yield _page(shop, shopper, rng.choice(len(shop.products), PAGE, replace=False).tolist())

    return draw


def _random(offset: int) -> Draw:
    def draw(shop: Shop, turn: Turn) -> Iterator[Asked]:
        """Shoppers and products at random; two rows share the pairs."""
        pairs = len(shop.others) * len(shop.products)
        drawn = _draws(0).choice(pairs, min(pairs, 2 * turn.turns * _MOST), replace=False)
        for pair in drawn[2 * turn.number + offset :: 2 * turn.turns].tolist():
            yield Asked(shop.others[pair // len(shop.products)], (shop.products[pair % len(shop.products)],))

    return draw


def _met_pairs(shop: Shop, turn: Turn) -> Iterator[Asked]:
    """Every pair of the shoppers met before and 200 products, other ones in each turn, in random order."""
    hot = _hot(shop, turn)
    products = shop.products[turn.number * hot :][:hot]
    for pair in _draws(turn.number).permutation(len(shop.met) * hot).tolist():
        yield Asked(shop.met[pair // hot], (products[pair % hot],))


def _same(shop: Shop, turn: Turn) -> Iterator[Asked]:
    """One pair a client."""
    for shopper, product in zip(shop.met, _draws(turn.number).permutation(len(shop.products)), strict=False):
        yield Asked(shopper, (shop.products[int(product)],))


def _hot(shop: Shop, turn: Turn) -> int:
    """Products of `_met_pairs` in one turn."""
    return min(_HOT_PRODUCTS, len(shop.products) // (4 * turn.turns))


def _draws(number: int) -> np.random.Generator:
    return np.random.default_rng([_SEED, number])


def _page(shop: Shop, shopper: str, rows: Sequence[int]) -> Asked:
    return Asked(shopper, tuple(shop.products[row] for row in rows))


ROWS: Final = (
    Row("page_not_met", "page of 48, shopper not met lately", 1, PAGE, _page_fresh(0), goal=8, like="page_met"),
    Row("page_not_met_4", "the same, four clients at once", 4, PAGE, _page_fresh(1), figure="quotes_s"),
    Row("page_met", "page of 48, shopper met before", 1, PAGE, _page_met, goal=10, like="page_met"),
    Row("random", "one quote, shopper and product at random", 1, 1, _random(0), goal=5, like="random", bare=0.10),
    Row(
        name="random_16",
        title="16 clients at random",
        clients=16,
        quotes=1,
        draw=_random(1),
        figure="quotes_s",
        goal=10,
        like="random_16",
        bare=0.10,
    ),
    Row(
        name="met_16",
        title="16 clients, 40 shoppers x 200 products, all met",
        clients=16,
        quotes=1,
        draw=_met_pairs,
        figure="quotes_s",
        goal=8,
        like="random_16",
        bare=0.10,
    ),
    Row("same", "the very same quote again", 1, 1, _same, repeats=True, goal=8, like="random", bare=0.25),
    Row(
        name="same_16",
        title="16 clients, each the very same quote again",
        clients=16,
        quotes=1,
        draw=_same,
        repeats=True,
        figure="quotes_s",
        like="random_16",
        bare=0.25,
    ),
    Row("livez", "/livez", 1, 0, None, repeats=True),
)
BARE_ROWS: Final = ("page_met", "random", "random_16")
NAIVE_ROWS: Final = ("page_met", "random")
