"""Pair reader: many requests read as columns, each visit, product and category of the batch once.

`SituationReader.read` makes the same of a request for a quote, one situation at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from agent.domain.fields import minor_of
from agent.domain.refusal import Refusal
from agent.domain.request import ID_ALONE, QuoteRequest
from agent.pricing.pairs import Pairs
from agent.pricing.situation import Sold, Visit, unit_cost
from agent.pricing.situation_reader import PLAIN, SituationReader
from agent.pricing.visits import Visits
from models.evaluator.lesson import Term
from models.shopper.features import product_features
from models.shopper.history import SESSION_S
from models.shopper.weeks import week_of


class _OfCategory(NamedTuple):
    """Row of a visit's features of a category, and the loyalty to it."""

    row: int
    loyalty: str


@dataclass(slots=True)
class _KnownOfVisit:
    """Parts of one visit that its pairs share.

    Attributes:
        is_live: Whether an act counts for its session.
        beside: Places of effects beside the product's, of plain requests, by loyalty, quantity and inventory.
    """

    is_live: bool
    categories: dict[str, _OfCategory] = field(default_factory=dict)
    beside: dict[tuple[str, int, int | None, int | None], int] = field(default_factory=dict)


class PairReader:
    """Reads one batch of requests; not to be shared between threads."""

    def __init__(self, reader: SituationReader, requests: Sequence[QuoteRequest], now: datetime) -> None:
        """`reader` reads the parts that requests share."""
        self._reader = reader
        self._requests = requests
        self._visits: Visits = reader.visits(requests, now)
        self._now_s = reader.behaviour_s(now)
        self._pairs = Pairs()
        self._sold: dict[str | None, dict[float, int | Refusal]] = {}
        self._sold_moments: list[float] = []
        self._visit_of: dict[int, int] = {}
        self._plain_visits: dict[str, int] = {}
        self._known: list[_KnownOfVisit] = []
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
        self._read_weeks()
        return self._pairs, found

    def _read(self, request: QuoteRequest, moment: float) -> int | Refusal:
        is_plain = request.model_fields_set <= PLAIN
        product = self._product(request, moment, is_plain=is_plain)
        if isinstance(product, Refusal):
            return product
        pairs = self._pairs
        place = self._visit(request, moment, is_plain=is_plain)
        visit, sold, known, columns = pairs.visits[place], pairs.sold[product], self._known[place], pairs.features
        subject, features = sold.subject, visit.features
        category = known.categories.get(subject.category) or self._category(visit, known, subject.category)
        columns.places.append((place, category.row, product))
        columns.brands.append(features.of_brand(subject.brand))
        bought = features.of_product(subject)
        pair = len(pairs)
        if bought is not None:
            columns.bought[pair] = bought
        pairs.intents.append(
            visit.shopper.history.intent(subject.product, subject.category, moment) if known.is_live else 0.0
        )
        own = product if self._reader.crosses else None
        key = (category.loyalty, request.quantity, sold.product.inventory, own)
        beside = known.beside.get(key) if is_plain else None
        if beside is None:
            beside = self._terms(self._reader.terms_beside(request, sold, visit, category.loyalty))
            if is_plain:
                known.beside[key] = beside
        pairs.beside_of.append(beside)
        pairs.quantities.append(request.quantity)
        pairs.costs.append(unit_cost(sold.product, None if is_plain else minor_of(request.limits.min_price)))
        return pair

    def _product(self, request: QuoteRequest, moment: float, *, is_plain: bool) -> int | Refusal:
        """Place of a request's product; requests that say nothing but its id share it."""
        quoted = request.product
        if not (is_plain and quoted.model_fields_set <= ID_ALONE):
            sold = self._reader.sold(request, moment)
            return sold if isinstance(sold, Refusal) else self._add(sold, moment)
        by_moment = self._sold.setdefault(quoted.id, {})
        known = by_moment.get(moment)
        if known is None:
            sold = self._reader.sold(request, moment)
            known = by_moment[moment] = sold if isinstance(sold, Refusal) else self._add(sold, moment)
        return known

    def _add(self, sold: Sold, moment: float) -> int:
        pairs = self._pairs
        pairs.sold.append(sold)
        pairs.category_of.append(pairs.categories.setdefault(sold.subject.category, len(pairs.categories)))
        self._sold_moments.append(moment)
        return len(pairs.sold) - 1

    def _read_weeks(self) -> None:
        """Read weekly facts of all products, week by week."""
        pairs, catalogue = self._pairs, self._reader.catalogue
        by_week: dict[int, list[int]] = {}
        for place, moment in enumerate(self._sold_moments):
            by_week.setdefault(week_of(moment), []).append(place)
        pairs.features.products = [()] * len(pairs.sold)
        pairs.sells = [False] * len(pairs.sold)
        for places in by_week.values():
            moment, subjects = self._sold_moments[places[0]], [pairs.sold[place].subject for place in places]
            features = product_features(catalogue.weeks, moment, subjects)
            sells = catalogue.sell([one.product for one in subjects], moment)
            for place, columns, sold in zip(places, features, sells, strict=True):
                pairs.features.products[place], pairs.sells[place] = columns, sold

    def _visit(self, request: QuoteRequest, moment: float, *, is_plain: bool) -> int:
        shopper = request.shopper
        is_shared = is_plain and shopper.id is not None and shopper.model_fields_set <= ID_ALONE
        place = self._plain_visits.get(shopper.id or "") if is_shared else None
        if place is None:
            visit = self._visits.read(request, moment)
            place = self._visit_of.get(id(visit))
            if place is None:
                place = self._visit_of[id(visit)] = self._add_visit(visit)
            if is_shared:
                self._plain_visits[shopper.id or ""] = place
        return place

    def _add_visit(self, visit: Visit) -> int:
        self._pairs.visits.append(visit)
        self._pairs.features.shoppers.append(visit.features.of_shopper)
        session, at_s = visit.shopper.history.session, visit.behaviour_s
        self._known.append(_KnownOfVisit(any(0 <= at_s - act.at_s <= SESSION_S for act in session)))
        return len(self._known) - 1

    def _category(self, visit: Visit, known: _KnownOfVisit, category: str) -> _OfCategory:
        columns = self._pairs.features.categories
        loyalty = visit.shopper.history.loyalty(category, visit.behaviour_s)
        found = known.categories[category] = _OfCategory(len(columns), loyalty)
        columns.append(visit.features.of_category(category))
        return found

    def _terms(self, terms: tuple[Term, ...]) -> int:
        """Place of effects beside the product's, which a visit keeps for all products that they are equal for."""
        place = self._beside.get(id(terms))
        if place is None:
            place = self._beside[id(terms)] = len(self._pairs.beside)
            self._pairs.beside.append(terms)
        return place
