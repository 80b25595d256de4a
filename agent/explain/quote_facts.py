"""The fact table of a question about one quote."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from agent.domain.candidates import Candidate
from agent.domain.clock import StoreClock
from agent.domain.decision import Decision
from agent.domain.records import ProductWeek
from agent.domain.request import QuoteRequest, Shopper
from agent.explain.decision_facts import (
    alike,
    at_price,
    data_used,
    held_because,
    priced,
    reasoned,
    ruled,
    scored,
    weighed,
)
from agent.explain.facts import Fact, FactTable
from agent.explain.questions import Period, Question, QuestionKind
from agent.explain.what_if import counterfactual, difference, driver, for_shopper, priced_at, strongest
from agent.pricing.counterfactuals import Counterfactuals
from agent.rules.gateway import ROUNDING_RULE, STEP_RULE
from agent.rules.prior_price import LOOK_BACK, lowest_before
from agent.store import Store

_HISTORY: Final = timedelta(weeks=26)
_PRIOR: Final = timedelta(days=30)
_WHAT_IFS: Final = (
    QuestionKind.WHAT_IF_STOCK,
    QuestionKind.WHAT_IF_COMPETITOR,
    QuestionKind.WHAT_IF_COST,
    QuestionKind.WHAT_IF_HISTORY,
)
_NEEDS_REQUEST: Final = (
    *_WHAT_IFS,
    QuestionKind.WHAT_IF_PRICE,
    QuestionKind.DRIVER,
    QuestionKind.COMPARE,
    QuestionKind.WHY_NOT,
)
_HOLDABLE: Final = (*_WHAT_IFS, QuestionKind.WHY_NOT, QuestionKind.DRIVER)


@dataclass(frozen=True, slots=True)
class QuoteFacts:
    """Computes facts from the record, and from counterfactuals where the question asks for one."""

    store: Store
    clock: StoreClock
    counterfactuals: Counterfactuals

    def table(self, question: Question, decision: Decision) -> FactTable:
        """The facts that an answer to this question may state."""
        kept = self.store.request_of(decision.id)
        request = None if kept is None else QuoteRequest.model_validate(dict(kept))
        facts = [*self._facts(question, decision, request), *data_used(decision)]
        return FactTable.of(question.kind, decision.currency, facts)

    def _facts(self, question: Question, decision: Decision, request: QuoteRequest | None) -> Iterator[Fact]:
        kind, slots = question.kind, question.slots
        if question.reason is not None:
            yield Fact("unanswered", f"unanswered.{question.reason}")
        if kind in _WHAT_IFS:
            yield Fact("scenario", kind.value.replace("what_if_", "scenario."))
        yield from priced(decision)
        if kind in _NEEDS_REQUEST and request is None:
            yield Fact("missing", "missing.request")
        elif kind is QuestionKind.WHAT_IF_PRICE and request is not None:
            yield from priced_at(slots, decision, request, self.counterfactuals)
        elif kind in _HOLDABLE and held_because(decision) is not None:
            yield from reasoned(decision)
            yield from (
                () if kind is QuestionKind.WHY_NOT or request is None else self._held_still(question, decision, request)
            )
        elif kind in _WHAT_IFS and request is not None:
            yield from scored(decision)
            yield from counterfactual(kind, slots, decision, request, self.counterfactuals)
        elif kind is QuestionKind.DRIVER and request is not None:
            yield from reasoned(decision)
            yield from driver(decision, request, self.counterfactuals)
        elif kind is QuestionKind.COMPARE and request is not None:
            yield from self._compared(question, decision, request)
        elif kind is QuestionKind.WHY_NOT and request is not None:
            yield from scored(decision)
            yield from self._instead(question, decision, request)
        elif kind is QuestionKind.PRICE_HISTORY:
            yield from self._history(decision, slots.period)
        elif kind in _PLAIN:
            yield from reasoned(decision)
            if kind is QuestionKind.WHY_PRICE and request is not None:
                yield from weighed(decision, request)
            yield from scored(decision)
            yield from ruled(decision)
            yield from alike(decision)

    def _held_still(self, question: Question, decision: Decision, request: QuoteRequest) -> Iterator[Fact]:
        """A what-if of a held quote, without the facts that name what is missing."""
        if question.kind in _WHAT_IFS:
            told = counterfactual(question.kind, question.slots, decision, request, self.counterfactuals)
            yield from (fact for fact in told if fact.key != "missing")

    def _instead(self, question: Question, decision: Decision, request: QuoteRequest) -> Iterator[Fact]:
        """Facts of another price: the one asked about, else the best candidate that was not chosen."""
        asked = question.slots.value_from(decision.price_minor)
        if asked is None:
            best = _runner_up(decision, question.slots.lower)
            asked = None if best is None else best.price_minor
        offered = None if asked is None else self.counterfactuals.offer(request, asked, decision.at)
        if asked is None or offered is None:
            bound = list(ruled(decision))
            yield from bound or [Fact("missing", "missing.amount")]
            return
        yield Fact("asked_price", asked)
        barred = [step for step in offered.trail if step.rule not in (ROUNDING_RULE, STEP_RULE)]
        if barred and offered.price_minor != asked:
            yield Fact("allowed_price", offered.price_minor)
            yield Fact("rule", f"rule.{strongest(barred).rule}")
        if decision.scores is None:
            return
        yield Fact("asked_probability", offered.scores.purchase_probability.value)
        yield Fact("asked_profit", offered.scores.profit.value)
        yield from _profit_gap(offered.scores.profit.value, decision.scores.profit.value)

    def _compared(self, question: Question, decision: Decision, request: QuoteRequest) -> Iterator[Fact]:
        """Facts of the same product and moment for another shopper."""
        other = self._other(question.slots.other)
        if other is None:
            yield Fact("missing", "missing.other")
            return
        base, then = self.counterfactuals.quote([request, for_shopper(request, other)], decision.at)
        if not isinstance(base, Decision) or not isinstance(then, Decision):
            return
        yield Fact("other_shopper", other.id or question.slots.other or "")
        yield Fact("other_price", then.price_minor)
        gap = then.price_minor - decision.price_minor
        if gap:
            yield Fact("other_lower" if gap < 0 else "other_higher", abs(gap))
        if base.price_minor != decision.price_minor:
            yield next(difference(decision, base, then))
        if decision.scores is not None and then.scores is not None:
            yield from at_price(decision.scores)
            yield Fact("other_probability", then.scores.purchase_probability.value)
        yield from self._loyalties(decision, request, other)

    def _loyalties(self, decision: Decision, request: QuoteRequest, other: Shopper) -> Iterator[Fact]:
        for key, shopper_id in (("loyalty", decision.shopper_id), ("other_loyalty", other.id)):
            known = None if shopper_id is None else self.counterfactuals.loyalty(request, shopper_id, decision.at)
            yield Fact(key, f"loyalty.{known or 'new'}")

    def _other(self, named: str | None) -> Shopper | None:
        """The other shopper: of another quote, or by id where the store knows it."""
        if named is None:
            return None
        kept = self.store.request_of(named)
        if kept is not None:
            return QuoteRequest.model_validate(dict(kept)).shopper
        known = self.store.shopper(named) is not None or self.store.shopper_events(named, limit=1)
        return Shopper(id=named) if known else None

    def _history(self, decision: Decision, period: Period | None) -> Iterator[Fact]:
        """Facts of the weekly prices of the half year before the quote, or since the span that a question names."""
        if decision.product_id is None:
            return
        until = self.clock.behaviour_time(decision.at)
        asked = _HISTORY if period is None else max(decision.at - period.since, timedelta(weeks=1))
        weeks = self.store.weeks_of(decision.product_id, decision.currency, until - asked, until)
        prices = [(week, price) for week in weeks if (price := _shelf(week)) is not None]
        if not prices:
            return
        values = [price for _, price in prices]
        yield Fact("weeks", len(prices))
        yield Fact("since", f"{prices[0][0].week:%Y-%m-%d}")
        yield Fact("until", f"{until:%Y-%m-%d}")
        yield Fact("lowest_price", min(values))
        yield Fact("highest_price", max(values))
        yield Fact("first_price", values[0])
        yield Fact("latest_price", values[-1])
        moved = 100 * (values[-1] / values[0] - 1)
        if moved:
            yield Fact("moved_down_pct" if moved < 0 else "moved_up_pct", abs(moved))
        prior = self._prior(decision)
        if prior is None:  # nothing was logged yet: what the history's weeks say
            prior = min((price for week, price in prices if week.week >= until - _PRIOR), default=None)
        if prior is not None:
            yield Fact("prior_price", prior)

    def _prior(self, decision: Decision) -> int | None:
        """The lowest price for everyone in the 30 days before, from the applied-price log."""
        product = decision.product_id or ""
        applied = self.store.applied_prices([product], decision.at - LOOK_BACK).get(product, ())
        return lowest_before([one for one in applied if one.currency == decision.currency], decision.at, _PRIOR.days)


def _shelf(week: ProductWeek) -> int | None:
    """Price of a week: the price paid where known, else the list price."""
    return week.price_minor or week.list_minor


def _runner_up(decision: Decision, lower: bool | None) -> Candidate | None:
    """The best candidate at another price, on the side that the question names."""
    price = decision.price_minor
    others = [
        one for one in decision.candidates if one.price_minor != price and lower in (None, one.price_minor < price)
    ]
    return max(others, key=lambda one: one.scores.profit.value, default=None)


def _profit_gap(asked: float, chosen: float) -> Iterator[Fact]:
    if chosen <= 0 or asked < 0:  # a share of a loss says nothing
        return
    gap = 100 * (asked / chosen - 1)
    if abs(gap) >= 0.5:
        yield Fact("profit_less_pct" if gap < 0 else "profit_more_pct", abs(gap))


_PLAIN: Final = (QuestionKind.WHY_PRICE, QuestionKind.RULE, QuestionKind.CONFIDENCE, QuestionKind.SIMILAR_SHOPPERS)
