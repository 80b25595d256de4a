"""What-ifs: the recorded request with one thing changed, priced again."""

from collections.abc import Iterator, Sequence
from math import isclose
from typing import Any, Final

from agent.domain.candidates import Scores
from agent.domain.decision import Decision, TrailStep
from agent.domain.request import QuoteRequest, Shopper
from agent.explain.decision_facts import cheapest_rival, cost_used, stock_known
from agent.explain.facts import Fact
from agent.explain.leave_one_out import leave_out, without_each
from agent.explain.questions import QuestionKind, Slots
from agent.pricing.counterfactuals import Counterfactuals

_STOCK_WITHOUT_A_NUMBER: Final = 1_000
_CHANGE_WITHOUT_A_NUMBER_PCT: Final = 10.0
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


def priced_at(
    slots: Slots, decision: Decision, request: QuoteRequest, counterfactuals: Counterfactuals
) -> Iterator[Fact]:
    """Scores at another own price beside those at the quoted one, both by the present models, and what the limits say.

    A question that names no price means one a tenth lower or higher, whichever it says.
    """
    asked = slots.value_from(decision.price_minor)
    if asked is None:
        asked = Slots(change_pct=_signed(_CHANGE_WITHOUT_A_NUMBER_PCT, slots)).value_from(decision.price_minor)
    then = None if asked is None else counterfactuals.offer(request, asked, decision.at)
    now = counterfactuals.offer(request, decision.price_minor, decision.at)
    if asked is None or then is None or now is None:
        yield Fact("missing", "missing.amount")
        return
    yield Fact("asked_price", asked)
    if asked != decision.price_minor:
        yield Fact("asked_move", "asked.lower" if asked < decision.price_minor else "asked.higher")
    yield from _scores_beside(then.scores, now.scores, costed=decision.cost_minor is not None)
    if then.price_minor != asked and then.trail:
        yield Fact("allowed_price", then.price_minor)
        yield Fact("rule", f"rule.{strongest(then.trail).rule}")
        if len(then.trail) > 1:
            yield Fact("limits", tuple(f"rule.{step.rule}" for step in then.trail))


def _scores_beside(then: Scores, now: Scores, *, costed: bool) -> Iterator[Fact]:
    """The scores of two prices; profit only where the cost is known, as it is revenue without one."""
    yield Fact("asked_probability", then.purchase_probability.value)
    yield Fact("purchase_probability", now.purchase_probability.value)
    if costed:
        yield Fact("asked_profit", then.profit.value)
        yield Fact("profit", now.profit.value)
    yield Fact("asked_satisfaction", then.satisfaction.value)
    yield Fact("satisfaction", now.satisfaction.value)


def strongest(trail: Sequence[TrailStep]) -> TrailStep:
    """The step that moved the price furthest."""
    return max(trail, key=lambda step: abs(step.to_minor - step.from_minor))


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
    elif slots.factor == 0:
        then = 0
    else:
        then = (now or 0) // 2 if slots.lower else _STOCK_WITHOUT_A_NUMBER
    facts = [Fact("scenario", "scenario.stock"), Fact("stock_if", then)]
    return _context(request, inventory=then), facts + ([] if now is None else [Fact("stock_now", now)])


def _competitor(slots: Slots, decision: Decision, request: QuoteRequest) -> tuple[QuoteRequest, list[Fact]]:
    now = cheapest_rival(request)
    base = now or decision.price_minor
    then = slots.value_from(base)
    if then is None:
        change = _CHANGE_WITHOUT_A_NUMBER_PCT if slots.lower is False else -_CHANGE_WITHOUT_A_NUMBER_PCT
        then = max(1, round(base * (1 + change / 100)))
    facts = [Fact("scenario", "scenario.competitor"), Fact("rival_if", then)]
    price = {"amount_minor": then, "currency": decision.currency, "source": "what-if", "public": True}
    return _context(request, competitor_prices=[price]), facts + ([] if now is None else [Fact("rival_now", now)])


def _cost(slots: Slots, decision: Decision, request: QuoteRequest) -> tuple[QuoteRequest, list[Fact]] | str:
    now = cost_used(decision)
    then = slots.value_from(now)
    if then is None and now is None:
        return "missing.cost"
    if then is None and now is not None:
        then = round(now * (1 + _signed(_CHANGE_WITHOUT_A_NUMBER_PCT, slots) / 100))
    facts = [Fact("scenario", "scenario.cost"), Fact("cost_if", then or 0)]
    product = request.product.model_dump() | {"cost": {"amount_minor": then, "currency": decision.currency}}
    return _with(request, product=product), facts + ([] if now is None else [Fact("cost_now", now)])


def _history(_slots: Slots, _decision: Decision, request: QuoteRequest) -> tuple[QuoteRequest, list[Fact]]:
    stranger = request.shopper.model_copy(update={"id": None, "profile": {}})
    return _with(request, shopper=stranger, events=[]), [Fact("scenario", "scenario.history")]


def _signed(change_pct: float, slots: Slots) -> float:
    """A change downwards where the question says lower, upwards else."""
    return -change_pct if slots.lower else change_pct


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
