"""Outcomes of a store as columns, about ninety bytes each, sampled when there are too many."""

import math
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from agent.domain.records import OutcomeType
from agent.store import Store
from agent.store.rows import chunks
from agent.training.left_out import LeftOut
from models.progress import Progress
from models.training.own_checks import OfferLog
from models.training.own_rows import PriceOrigins
from models.training.sale_reports import Sales

MOST: Final = 300_000  # outcomes used in training; more improve it less than they cost
_QUOTES: Final = 2_000  # decisions read at a time
_SEED: Final = 29
_AFTER_SALE: Final = (OutcomeType.RETURNED, OutcomeType.RATED)

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class OwnOutcomes:
    """Outcomes as columns `(n,)`; shoppers and products are numbered, -1 for an unknown shopper.

    Attributes:
        shoppers, products, currencies: Ids by number.
        seq: Numbers in the store.
        at_s: Unix seconds.
        propensity: nan when unknown.
        cost_minor: Cost of a unit at that moment, nan when unknown.
        returned: 1 if a return was reported, else 0. `rating`: The latest one, 1-5, nan without any.
        quotes: Quote ids by `seq`, for quotes of Pricesmith.
        of: Number of outcomes from which these were sampled.
    """

    shoppers: list[str]
    products: list[str]
    currencies: list[str]
    seq: Ints
    currency: Ints
    shopper: Ints
    product: Ints
    at_s: NDArray[np.float64]
    price_minor: Ints
    reference_minor: Ints
    bought: NDArray[np.float32]
    weight: NDArray[np.float32]
    propensity: NDArray[np.float32]
    cost_minor: NDArray[np.float32]
    returned: NDArray[np.float32]
    rating: NDArray[np.float32]
    quotes: Mapping[int, str]
    of: int

    def __len__(self) -> int:
        """Number of outcomes."""
        return len(self.bought)

    @property
    def offers(self) -> OfferLog:
        """The columns that the checks of the log use."""
        ratio = np.log(self.price_minor / self.reference_minor).astype(np.float32)
        return OfferLog(self.product, self.at_s, ratio, self.bought)

    def sales(self, category_of: Callable[[str], str]) -> Sales:
        """The sales among the outcomes, with what was reported of them."""
        sold = np.flatnonzero(self.bought > 0)
        ratio = self.price_minor[sold] / self.reference_minor[sold]
        return Sales(
            names=tuple((product, category_of(product)) for product in self.products),
            product=self.product[sold],
            shopper=self.shopper[sold],
            at_s=self.at_s[sold],
            log_ratio=np.log(ratio),
            returned=self.returned[sold].astype(np.float64),
            rating=self.rating[sold].astype(np.float64),
            end_s=float(self.at_s.max(initial=0.0)),
        )

    @property
    def origins(self) -> PriceOrigins:
        """Records of how the prices came about."""
        with np.errstate(divide="ignore"):
            cost = np.log(self.cost_minor.astype(np.float64) / self.reference_minor)
        return PriceOrigins(np.where(np.isfinite(cost), cost, np.nan), self.propensity.astype(np.float64))

    def sample(self, most: int = MOST) -> "OwnOutcomes":
        """At most `most` outcomes: purchases first, as they are few; weights make up for those left out."""
        if len(self) <= most:
            return self
        sold = self.bought > 0
        share = np.where(sold, min(1.0, most / 2 / sold.sum()), 0.0)
        share[~sold] = min(1.0, (most - float(share.sum())) / (~sold).sum())
        kept = np.flatnonzero(np.random.default_rng(_SEED).random(len(self)) < share)
        arrays: dict[str, Any] = {
            f.name: value[kept] for f in fields(self) if isinstance(value := getattr(self, f.name), np.ndarray)
        }
        arrays["weight"] = (self.weight[kept] / share[kept]).astype(np.float32)
        return replace(self, **arrays)


class _Columns:
    """Columns that grow by rows, as typed arrays so that millions of rows stay small."""

    def __init__(self) -> None:
        self.names: tuple[dict[str, int], dict[str, int], dict[str, int]] = ({}, {}, {})
        self.whole = tuple(array("q") for _ in range(7))  # seq, shopper, product, currency, price, reference, micros
        self.real = tuple(array("f") for _ in range(6))  # bought, weight, propensity, returned, rating, cost
        self.row_of_quote: dict[str, int] = {}

    def add(self, row: Any) -> None:
        if row.product_id is None or not row.reference_minor:
            return
        if row.type in _AFTER_SALE:
            self._add_report(row)
            return
        bought = 1.0 if row.type == OutcomeType.PURCHASED else 0.0
        if row.quote_id is not None:
            known = self.row_of_quote.get(row.quote_id)
            if known is not None:  # a later purchase replaces the decline
                self.real[0][known] = max(bought, self.real[0][known])
                self._rate(known, row)
                return
            self.row_of_quote[row.quote_id] = len(self.real[0])
        shoppers, products, currencies = self.names
        values = (
            row.seq,
            -1 if row.shopper_id is None else shoppers.setdefault(row.shopper_id, len(shoppers)),
            products.setdefault(row.product_id, len(products)),
            currencies.setdefault(row.currency, len(currencies)),
            row.price_minor,
            row.reference_minor,
            row.at,
        )
        for column, value in zip(self.whole, values, strict=True):
            column.append(value)
        propensity, rating, cost = (
            math.nan if one is None else one for one in (row.propensity, row.rating, row.cost_minor)
        )
        numbers = (bought, row.weight, propensity, float(row.returned or 0), rating, cost)
        for real, number in zip(self.real, numbers, strict=True):
            real.append(number)

    def _add_report(self, row: Any) -> None:
        """Add a return or a rating to the sale of its quote."""
        known = self.row_of_quote.get(row.quote_id)
        if known is None:
            return
        if row.type == OutcomeType.RETURNED:
            self.real[3][known] = 1.0
        self._rate(known, row)

    def _rate(self, place: int, row: Any) -> None:
        if row.rating is not None:
            self.real[4][place] = row.rating


def read_outcomes(store: Store, progress: Progress, left_out: LeftOut | None = None) -> OwnOutcomes:
    """Read all offers with a known outcome, but for those `left_out`; returned purchases count as purchases.

    Reports of quotes follow their sales, so that one pass joins them.
    """
    columns = _Columns()
    last = max(1, store.last_outcome())
    for batch in store.outcome_columns():
        for row in batch:
            if left_out is None or not left_out.leaves_out(row):
                columns.add(row)
        progress("read outcomes", min(1.0, batch[-1].seq / last))
    seq, shopper, product, currency, price, reference, micros = (np.asarray(c, np.int64) for c in columns.whole)
    bought, weight, propensity, returned, rating, cost = (np.asarray(c, np.float32) for c in columns.real)
    for quotes in chunks(columns.row_of_quote, _QUOTES):
        for quote, offer in store.offers(quotes).items():
            if offer.cost_minor is not None:
                cost[columns.row_of_quote[quote]] = offer.cost_minor
    shoppers, products, currencies = (list(names) for names in columns.names)
    at_s = micros / 1e6
    return OwnOutcomes(
        shoppers=shoppers,
        products=products,
        currencies=currencies,
        seq=seq,
        currency=currency,
        shopper=shopper,
        product=product,
        at_s=at_s,
        price_minor=price,
        reference_minor=reference,
        bought=bought,
        weight=weight,
        propensity=propensity,
        cost_minor=cost,
        returned=returned,
        rating=rating,
        quotes={int(seq[row]): quote for quote, row in columns.row_of_quote.items()},
        of=len(bought),
    )
