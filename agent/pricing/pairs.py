"""Pairs: many requests read as columns, each visit, product and category of the batch once.

`SituationReader.read` makes the same of a request for a quote, one situation at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agent.domain.fields import minor_of
from agent.domain.refusal import Refusal
from agent.domain.request import QuoteRequest
from agent.pricing.situation import Sold, Visit, unit_cost
from agent.pricing.situation_reader import SituationReader
from agent.pricing.visits import Visits
from models.arrays import Floats
from models.evaluator.lesson import Term
from models.shopper.features import FeatureColumns, product_features
from models.shopper.history import SESSION_S

_PLAIN: Final = {"shopper", "product", "quantity"}
_ID: Final = {"id"}


@dataclass(slots=True)
class Pairs:
    """A batch of n situations; amounts are in minor units of the row's currency.

    Attributes:
        visits, sold, beside: Distinct visits, products, and effects beside those of the product.
        features: Features of all pairs; its `places` say which visit and product each pair is.
        sells: Of each product, whether it was sold lately.
        categories: Distinct categories of the products; `category_of` is the one of each product.
        beside_of: Of each pair, its place in `beside`.
        costs: Unit costs as in `Situation.unit_cost`.
    """

    visits: list[Visit] = field(default_factory=list)
    sold: list[Sold] = field(default_factory=list)
    beside: list[tuple[Term, ...]] = field(default_factory=list)
    sells: list[bool] = field(default_factory=list)
    categories: dict[str, int] = field(default_factory=dict)
    category_of: list[int] = field(default_factory=list)
    features: FeatureColumns = field(default_factory=FeatureColumns)
    beside_of: list[int] = field(default_factory=list)
    intents: list[float] = field(default_factory=list)
    quantities: list[int] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.costs)

    @property
    def places(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Visit and product of each pair, `(n,)` each."""
        visit, _, sold = np.asarray(self.features.places, np.intp).reshape(-1, 3).T
        return visit, sold

    @property
    def moments(self) -> list[float]:
        """The moment of each visit, Unix seconds on the behaviour clock."""
        return [visit.behaviour_s for visit in self.visits]

    @property
    def references(self) -> Floats:
        """Reference price of each product."""
        return np.asarray([one.reference_minor for one in self.sold], np.float64)


class PairReader:
    """Reads one batch of requests; not to be shared between threads."""

    def __init__(self, reader: SituationReader, requests: Sequence[QuoteRequest], now: datetime) -> None:
        """`reader` reads the parts that requests share."""
        self._reader = reader
        self._requests = requests
        self._visits: Visits = reader.visits(requests, now)
        self._now_s = reader.behaviour_s(now)
        self._pairs = Pairs()
        self._sold: dict[tuple[str | None, float], int | Refusal] = {}
        self._visit_of: dict[int, int] = {}
        self._lives: list[bool] = []  # of each visit, whether an act counts for its session
        self._category_rows: list[dict[str, tuple[int, str]]] = []  # of each visit: row of its features, loyalty
        self._beside: dict[int, int] = {}

    def read(self) -> tuple[Pairs, list[int | Refusal]]:
        """Read all requests: the pairs, and the pair of each request or why it cannot be priced."""
        found: list[int | Refusal] = [0] * len(self._requests)
        moments = [
            self._now_s if one.context.at is None else self._reader.behaviour_s(one.context.at)
            for one in self._requests
        ]
        ids = [one.shopper.id or "" for one in self._requests]
        for row in sorted(range(len(found)), key=list(zip(ids, moments, strict=True)).__getitem__):
            found[row] = self._read(self._requests[row], moments[row])
        return self._pairs, found

    def _read(self, request: QuoteRequest, moment: float) -> int | Refusal:
        product = self._product(request, moment)
        if isinstance(product, Refusal):
            return product
        place, pairs = self._visit(request, moment), self._pairs
        visit, sold, columns = pairs.visits[place], pairs.sold[product], pairs.features
        subject, pair = sold.subject, len(pairs)
        category, loyalty = self._category(place, subject.category)
        columns.places.append((place, category, product))
        columns.brands.append(visit.features.of_brand(subject.brand))
        bought = visit.features.of_product(subject)
        if bought is not None:
            columns.bought[pair] = bought
        history = visit.shopper.history
        live = self._lives[place]
        pairs.intents.append(history.intent(subject.product, subject.category, moment) if live else 0.0)
        pairs.beside_of.append(self._terms(self._reader.terms_beside(request, sold, visit, loyalty)))
        pairs.quantities.append(request.quantity)
        pairs.costs.append(unit_cost(sold.product, minor_of(request.limits.min_price)))
        return pair

    def _product(self, request: QuoteRequest, moment: float) -> int | Refusal:
        """Place of a request's product; requests that say nothing but its id share it."""
        quoted = request.product
        is_plain = request.model_fields_set <= _PLAIN and quoted.model_fields_set <= _ID
        if is_plain and (known := self._sold.get((quoted.id, moment))) is not None:
            return known
        sold = self._reader.sold(request, moment)
        found = sold if isinstance(sold, Refusal) else self._add(sold, moment)
        if is_plain:
            self._sold[quoted.id, moment] = found
        return found

    def _add(self, sold: Sold, moment: float) -> int:
        pairs = self._pairs
        pairs.sold.append(sold)
        pairs.category_of.append(pairs.categories.setdefault(sold.subject.category, len(pairs.categories)))
        catalogue = self._reader.catalogue
        pairs.features.products.append(product_features(catalogue.weeks, moment, sold.subject))
        pairs.sells.append(bool(catalogue.weekly_units(sold.subject.product, moment)))
        return len(pairs.sold) - 1

    def _visit(self, request: QuoteRequest, moment: float) -> int:
        visit = self._visits.read(request, moment)
        place = self._visit_of.get(id(visit))
        if place is None:
            place = self._visit_of[id(visit)] = len(self._pairs.visits)
            self._pairs.visits.append(visit)
            self._pairs.features.shoppers.append(visit.features.of_shopper)
            self._lives.append(any(0 <= moment - act.at_s <= SESSION_S for act in visit.shopper.history.session))
            self._category_rows.append({})
        return place

    def _category(self, visit: int, category: str) -> tuple[int, str]:
        """Row of a visit's features of a category, and the loyalty to it."""
        rows = self._category_rows[visit]
        found = rows.get(category)
        if found is None:
            seen, columns = self._pairs.visits[visit], self._pairs.features.categories
            loyalty = seen.shopper.history.loyalty(category, seen.behaviour_s)
            found = rows[category] = (len(columns), loyalty)
            columns.append(seen.features.of_category(category))
        return found

    def _terms(self, terms: tuple[Term, ...]) -> int:
        """Place of effects beside the product's, which a visit keeps for all products that they are equal for."""
        place = self._beside.get(id(terms))
        if place is None:
            place = self._beside[id(terms)] = len(self._pairs.beside)
            self._pairs.beside.append(terms)
        return place
