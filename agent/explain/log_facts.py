"""The fact table of a question about many quotes: sums over the decision log."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from agent.domain.records import ProductRecord
from agent.explain.facts import Fact, FactTable
from agent.explain.periods import recent
from agent.explain.questions import NotUnderstood, Question, QuestionKind
from agent.store import Store
from agent.store.decision_log import DiscountSums, Span

FLOOR_RULES: Final = ("floor", "min_margin", "cost")
_LISTED: Final = 5
_USUAL_DAYS: Final = 7  # where a question names no span of time


@dataclass(frozen=True, slots=True)
class LogFacts:
    """Computes facts over a span of recorded decisions."""

    store: Store

    def table(self, question: Question, now: datetime) -> FactTable:
        """The facts that an answer to this question may state, without amounts."""
        period = question.slots.period or recent(now, _USUAL_DAYS)
        span = Span(period.since, period.until)
        dates = [Fact("since", f"{period.first_day:%Y-%m-%d}"), Fact("until", f"{period.last_day:%Y-%m-%d}")]
        if period.first_day == period.last_day:
            dates.append(Fact("day", f"{period.first_day:%Y-%m-%d}"))
        if question.kind is QuestionKind.PRODUCT_SALES:
            known = self.store.products(list(question.slots.products))
            products = [known[one] for one in question.slots.products if one in known]
            currency = products[0].currency if len(products) == 1 else ""
            return FactTable.of(question.kind, currency or "", [*dates, *self._sales(question, products, span)])
        return FactTable.of(question.kind, "", [*_unanswered(question), *dates, *self._facts(question, span)])

    def _sales(self, question: Question, products: Sequence[ProductRecord], span: Span) -> Iterator[Fact]:
        """Facts of one product, or counts of all that a question may mean."""
        ids = [one.product_id for one in products]
        if len(products) == 1:
            yield Fact("product", products[0].title)
            yield Fact("product_id", ids[0])
        else:
            yield Fact("matched", len(products))
            yield Fact("subject", question.slots.subject or "")
            yield Fact("matched_products", tuple(f"{one.title} ({one.product_id})" for one in products[:_LISTED]))
        yield from _discounted(self.store.discounts(span, product_ids=ids))
        if len(products) == 1 and products[0].currency:
            means = self.store.mean_prices(span, ids[0], products[0].currency)
            if means.quoted_minor is not None:
                yield Fact("mean_price", round(means.quoted_minor))
            if means.sold_minor is not None:
                yield Fact("mean_paid", round(means.sold_minor))

    def _facts(self, question: Question, span: Span) -> Iterator[Fact]:
        if question.kind is QuestionKind.CATEGORY_DISCOUNTS:
            yield from self._discounts(question.slots.category, span)
        elif question.kind is QuestionKind.FLOOR_PRODUCTS:
            raised = self.store.moved_by(FLOOR_RULES, span)
            yield from _counted("floor", self.store.quote_count(span), sum(raised.values()))
            known = [product for product in raised if product is not None]
            if known:
                yield Fact("floor_products", tuple(self._titles(known[:_LISTED])))
        elif question.kind is QuestionKind.ABOVE_REFERENCE:
            above = self.store.above_reference(span)
            yield from _counted("above", self.store.quote_count(span), sum(above.values()))
            named = [shopper for shopper in above if shopper is not None]
            if named:
                yield Fact("above_shoppers", tuple(named[:_LISTED]))

    def _discounts(self, category: str | None, span: Span) -> Iterator[Fact]:
        found = self.store.discounts(span, category)
        if category is not None:
            yield Fact("category", category)
        yield from _discounted(found)

    def _titles(self, product_ids: list[str]) -> Iterator[str]:
        known = self.store.products(product_ids)
        return (known[one].title if one in known else one for one in product_ids)


def _unanswered(question: Question) -> Iterator[Fact]:
    """Reason why a question is not answered, and the words that match nothing."""
    if question.reason is NotUnderstood.UNKNOWN_PRODUCT:
        yield Fact("unknown_subject", question.slots.subject or "")
        if question.slots.near:
            yield Fact("near_products", question.slots.near)
    elif question.reason is not None:
        yield Fact("unanswered", f"unanswered.{question.reason}")


def _discounted(found: DiscountSums) -> Iterator[Fact]:
    if not found.quotes:
        return
    yield Fact("quotes", found.quotes)
    yield Fact("discounted", found.discounted)
    yield Fact("sold", found.sold)
    if found.discounted:
        yield Fact("mean_discount_pct", 100 * found.mean_discount)
        yield Fact("deepest_discount_pct", 100 * found.deepest_discount)
        yield Fact("sold_discounted", found.sold_discounted)


def _counted(what: str, quotes: int, hits: int) -> Iterator[Fact]:
    if quotes:
        yield Fact("quotes", quotes)
        yield Fact(f"{what}_quotes", hits)
