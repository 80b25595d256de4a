"""Queries over many recorded decisions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Float, Integer, and_, case, cast, func, or_, select

from agent.domain.decision import Decision
from agent.domain.records import OutcomeType
from agent.store.codec import EncodedDecision, Request, decode_decision, decode_request
from agent.store.repository import Repository
from agent.store.rows import IN_LIMIT, chunks
from agent.store.tables import DECISIONS, OUTCOMES, PRODUCTS

_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class Span:
    """A time span from `since`, included, to `until`, excluded."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class DiscountSums:
    """Counts of quotes; discounts are fractions of the reference price, their mean over discounted quotes."""

    quotes: int
    discounted: int
    mean_discount: float
    deepest_discount: float
    sold: int
    sold_discounted: int


@dataclass(frozen=True, slots=True)
class MeanPrices:
    """Mean prices in minor units, of all quotes and of those that sold; None where there were none."""

    quoted_minor: float | None
    sold_minor: float | None


class DecisionLogRepository(Repository):
    """Reports and samples of decisions."""

    def logged(self) -> Iterator[tuple[Decision, Request | None]]:
        """All decisions with their requests, where stored, by time."""
        query = select(DECISIONS.c.at, DECISIONS.c.id, DECISIONS.c.body, DECISIONS.c.personal)
        for row in self._paged(query, [DECISIONS.c.at, DECISIONS.c.id], _BATCH):
            encoded = EncodedDecision(row.body, row.personal)
            yield decode_decision(encoded), decode_request(encoded)

    def sampled(self, span: Span, most: int) -> list[tuple[str, Request]]:
        """Ids and requests of at most `most` quotes of a span, evenly spread over it, by time."""
        query = select(DECISIONS.c.id).where(_in(span), DECISIONS.c.personal.is_not(None))
        with self._db.read() as connection:
            ids = [row.id for row in connection.execute(query.order_by(DECISIONS.c.at, DECISIONS.c.id))]
        step = max(1.0, len(ids) / most)
        chosen = [ids[int(place * step)] for place in range(min(most, len(ids)))]
        found: dict[str, Request | None] = {}
        for part in chunks(chosen, IN_LIMIT):
            rows = select(DECISIONS.c.id, DECISIONS.c.body, DECISIONS.c.personal).where(DECISIONS.c.id.in_(part))
            with self._db.read() as connection:
                for row in connection.execute(rows):
                    found[row.id] = decode_request(EncodedDecision(row.body, row.personal))
        return [(one, request) for one in chosen if (request := found.get(one)) is not None]

    def quote_count(self, span: Span) -> int:
        """Number of quotes."""
        with self._db.read() as connection:
            return int(connection.execute(select(func.count()).select_from(DECISIONS).where(_in(span))).scalar_one())

    def discounts(
        self, span: Span, category: str | None = None, product_ids: Sequence[str] | None = None
    ) -> DiscountSums:
        """Discounts and sales of a span, of one category or of some products if given."""
        if product_ids is None:
            return self._discounts(span, None if category is None else PRODUCTS.c.category == category)
        parts = [self._discounts(span, PRODUCTS.c.product_id.in_(part)) for part in chunks(product_ids, IN_LIMIT)]
        discounted = sum(part.discounted for part in parts)
        return DiscountSums(
            quotes=sum(part.quotes for part in parts),
            discounted=discounted,
            mean_discount=sum(part.discounted * part.mean_discount for part in parts) / max(1, discounted),
            deepest_discount=max((part.deepest_discount for part in parts), default=0.0),
            sold=sum(part.sold for part in parts),
            sold_discounted=sum(part.sold_discounted for part in parts),
        )

    def _discounts(self, span: Span, of_products: ColumnElement[bool] | None) -> DiscountSums:
        below = DECISIONS.c.price_minor < DECISIONS.c.reference_minor
        share = 1 - cast(DECISIONS.c.price_minor, Float) / DECISIONS.c.reference_minor
        sold = _sold()
        query = select(
            func.count(),
            _count(below),
            func.coalesce(func.avg(case((below, share))), 0.0),
            func.coalesce(func.max(case((below, share))), 0.0),
            _count(sold),
            _count(and_(sold, below)),
        ).select_from(DECISIONS)
        if of_products is not None:
            query = query.join(PRODUCTS, PRODUCTS.c.product_id == DECISIONS.c.product_id).where(of_products)
        with self._db.read() as connection:
            row = connection.execute(query.where(_in(span))).one()
        return DiscountSums(int(row[0]), int(row[1]), float(row[2]), float(row[3]), int(row[4]), int(row[5]))

    def mean_prices(self, span: Span, product_id: str, currency: str) -> MeanPrices:
        """Mean prices of one product's quotes in a currency."""
        query = select(
            func.avg(cast(DECISIONS.c.price_minor, Float)),
            func.avg(case((_sold(), cast(DECISIONS.c.price_minor, Float)))),
        ).where(_in(span), DECISIONS.c.product_id == product_id, DECISIONS.c.currency == currency)
        with self._db.read() as connection:
            row = connection.execute(query).one()
        return MeanPrices(*(None if mean is None else float(mean) for mean in row))

    def moved_by(self, rules: Sequence[str], span: Span) -> Mapping[str | None, int]:
        """Number of quotes moved by some gateway rules, by product, largest first; None for products without id."""
        named = [DECISIONS.c.body.contains(f'"rule":"{rule}"', autoescape=True) for rule in rules]
        hits = func.count()
        query = select(DECISIONS.c.product_id, hits).where(_in(span), or_(*named))
        query = query.group_by(DECISIONS.c.product_id).order_by(hits.desc(), DECISIONS.c.product_id)
        with self._db.read() as connection:
            return {row[0]: int(row[1]) for row in connection.execute(query)}

    def above_reference(self, span: Span) -> Mapping[str | None, int]:
        """Number of quotes above the reference price, by shopper, largest first; None for shoppers without id."""
        hits = func.count()
        query = select(DECISIONS.c.shopper_id, hits).where(
            _in(span), DECISIONS.c.price_minor > DECISIONS.c.reference_minor
        )
        query = query.group_by(DECISIONS.c.shopper_id).order_by(hits.desc(), DECISIONS.c.shopper_id)
        with self._db.read() as connection:
            return {row[0]: int(row[1]) for row in connection.execute(query)}


def _sold() -> ColumnElement[bool]:
    """Whether a quote led to a purchase."""
    bought = (OUTCOMES.c.quote_id == DECISIONS.c.id) & (OUTCOMES.c.type == OutcomeType.PURCHASED)
    return select(OUTCOMES.c.quote_id).where(bought).exists()


def _in(span: Span) -> ColumnElement[bool]:
    return (DECISIONS.c.at >= span.since) & (DECISIONS.c.at < span.until)


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0), type_=Integer), 0)
