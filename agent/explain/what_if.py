"""What-ifs: the recorded request with one thing changed, priced again."""

from collections.abc import Iterator
from math import isclose
from typing import Any, Final

from agent.domain.decision import Decision
from agent.domain.request import QuoteRequest, Shopper
from agent.explain.decision_facts import cheapest_rival, cost_used, stock_known
from agent.explain.facts import Fact
from agent.explain.leave_one_out import leave_out, without_each
from agent.explain.questions import QuestionKind, Slots
from agent.pricing.counterfactuals import Counterfactuals

_STOCK_WITHOUT_A_NUMBER: Final = 1_000
_RIVAL_WITHOUT_A_NUMBER_PCT: Final = -10.0
_COST_WITHOUT_A_NUMBER_PCT: Final = 10.0
_NOTICEABLE: Final = 0.02  # a score that changes by less, relatively, is not worth a sentence


def counterfactual(
    kind: QuestionKind, slots: Slots, decision: Decision, request: QuoteRequest, counterfactuals: Counterfactuals
) -> Iterator[Fact]:
    """Facts of the recorded request with another stock, competitor price, cost or history."""
    changed = _CHANGES[kind](slots, decision, request)
    if isinstance(changed, str):
        yield Fact("missing", changed)
        return
    other, facts = changed
    yield from facts
    base, then = counterfactuals.quote([request, other], decision.at)
    if isinstance(base, Decision) and isinstance(then, Decision):
        yield from difference(decision, base, then)


def difference(decision: Decision, base: Decision, then: Decision) -> Iterator[Fact]:
    """The changed price against the unchanged one priced again, and a note where that is not the recorded one."""
    if base.price_minor != decision.price_minor:
        yield Fact("rerun_price", base.price_minor)
    yield Fact("whatif_price", then.price_minor)
    if then.price_minor < base.price_minor:
        yield Fact("whatif_fall", base.price_minor - then.price_minor)
    elif then.price_minor > base.price_minor:
        yield Fact("whatif_rise", then.price_minor - base.price_minor)
    if then.scores is None:
        return
    for key, name in (("whatif_probability", "purchase_probability"), ("whatif_profit", "profit")):
        value = getattr(then.scores, name).value
        if base.scores is None or not isclose(value, getattr(base.scores, name).value, rel_tol=_NOTICEABLE):
            yield Fact(key, value)


def driver(decision: Decision, request: QuoteRequest, counterfactuals: Counterfactuals) -> Iterator[Fact]:
    """The input whose absence changes the price most."""
    others = without_each(request)
    left = leave_out(request, others, counterfactuals.quote, decision.at)
    yield Fact("tried", len(others))
    if left is None:
        return
    base = left.base
    moved = {name: then for name, then in left.without.items() if then.price_minor != base.price_minor}
    if not moved:
        return
    most = max(moved, key=lambda name: abs(moved[name].price_minor - base.price_minor))
    yield Fact("driver", f"input.{most}")
    yield from difference(decision, base, moved[most])


def for_shopper(request: QuoteRequest, shopper: Shopper) -> QuoteRequest:
    """The request by another shopper, without this session."""
    return _with(request, shopper=shopper.model_dump(), events=[])


def _stock(slots: Slots, _decision: Decision, request: QuoteRequest) -> tuple[QuoteRequest, list[Fact]]:
    now = stock_known(request)
    if slots.count is not None:
        then = slots.count
    elif slots.factor is not None and now is not None:
        then = round(slots.factor * now)
    elif slots.change_pct is not None and now is not None:
        then = max(0, round(now * (1 + slots.change_pct / 100)))
    else:
        then = 0 if slots.factor == 0 else _STOCK_WITHOUT_A_NUMBER
    facts = [Fact("scenario", "scenario.stock"), Fact("stock_if", then)]
    return _context(request, inventory=then), facts + ([] if now is None else [Fact("stock_now", now)])


def _competitor(slots: Slots, decision: Decision, request: QuoteRequest) -> tuple[QuoteRequest, list[Fact]]:
    now = cheapest_rival(request)
    then = slots.amount_minor
    if then is None:
        change = _RIVAL_WITHOUT_A_NUMBER_PCT if slots.change_pct is None else slots.change_pct
        then = max(1, round((now or decision.price_minor) * (1 + change / 100)))
    facts = [Fact("scenario", "scenario.competitor"), Fact("rival_if", then)]
    price = {"amount_minor": then, "currency": decision.currency}
    return _context(request, competitor_prices=[price]), facts + ([] if now is None else [Fact("rival_now", now)])


def _cost(slots: Slots, decision: Decision, request: QuoteRequest) -> tuple[QuoteRequest, list[Fact]] | str:
    now = cost_used(decision)
    then = slots.amount_minor
    if then is None and now is None:
        return "missing.cost"
    if then is None and now is not None:
        change = _COST_WITHOUT_A_NUMBER_PCT if slots.change_pct is None else slots.change_pct
        then = round(now * (1 + change / 100))
    facts = [Fact("scenario", "scenario.cost"), Fact("cost_if", then or 0)]
    product = request.product.model_dump() | {"cost": {"amount_minor": then, "currency": decision.currency}}
    return _with(request, product=product), facts + ([] if now is None else [Fact("cost_now", now)])


def _history(_slots: Slots, _decision: Decision, request: QuoteRequest) -> tuple[QuoteRequest, list[Fact]]:
    stranger = request.shopper.model_copy(update={"id": None, "profile": {}})
    return _with(request, shopper=stranger, events=[]), [Fact("scenario", "scenario.history")]


def _context(request: QuoteRequest, **changes: Any) -> QuoteRequest:
    return _with(request, context=request.context.model_dump() | changes)


def _with(request: QuoteRequest, **changes: Any) -> QuoteRequest:
    return QuoteRequest.model_validate(request.model_dump() | changes)


_CHANGES: Final = {
    QuestionKind.WHAT_IF_STOCK: _stock,
    QuestionKind.WHAT_IF_COMPETITOR: _competitor,
    QuestionKind.WHAT_IF_COST: _cost,
    QuestionKind.WHAT_IF_HISTORY: _history,
}
