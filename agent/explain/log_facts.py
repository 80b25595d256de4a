"""The fact table of a question about many quotes: sums over the decision log."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from agent.explain.facts import Fact, FactTable
from agent.explain.questions import Question, QuestionKind
from agent.store import Store
from agent.store.decision_log import Span

FLOOR_RULES: Final = ("floor", "min_margin", "cost")
_LISTED: Final = 5


@dataclass(frozen=True, slots=True)
class LogFacts:
    """Computes facts over a span of recorded decisions."""

    store: Store

    def table(self, question: Question, now: datetime) -> FactTable:
        """The facts that an answer to this question may state, without amounts."""
        since = now - timedelta(days=question.slots.days)
        span = Span(since, now)
        facts = [] if question.elsewhere is None else [Fact("elsewhere", question.elsewhere)]
        facts += [Fact("since", f"{since:%Y-%m-%d}"), Fact("until", f"{now:%Y-%m-%d}"), *self._facts(question, span)]
        return FactTable.of(question.kind, "", facts)

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
        if not found.quotes:
            return
        yield Fact("quotes", found.quotes)
        yield Fact("discounted", found.discounted)
        yield Fact("sold", found.sold)
        if found.discounted:
            yield Fact("mean_discount_pct", 100 * found.mean_discount)
            yield Fact("deepest_discount_pct", 100 * found.deepest_discount)
            yield Fact("sold_discounted", found.sold_discounted)

    def _titles(self, product_ids: list[str]) -> Iterator[str]:
        known = self.store.products(product_ids)
        return (known[one].title if one in known else one for one in product_ids)


def _counted(what: str, quotes: int, hits: int) -> Iterator[Fact]:
    if quotes:
        yield Fact("quotes", quotes)
        yield Fact(f"{what}_quotes", hits)
