"""Requests otherwise: one thing changed against what was recorded, and what the pipeline then makes of it."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from agent.api.schemas import QuoteRequest, Shopper
from agent.decision import Decision
from agent.explain.facts import Fact
from agent.explain.questions import Kind, Slots
from agent.explain.reruns import Reruns

_STOCK_WITHOUT_A_NUMBER: Final = 1_000
_RIVAL_WITHOUT_A_NUMBER_PCT: Final = -10.0
_COST_WITHOUT_A_NUMBER_PCT: Final = 10.0


def counterfactual(
    kind: Kind, slots: Slots, decision: Decision, request: QuoteRequest, reruns: Reruns
) -> Iterator[Fact]:
    """Facts of the recorded request with stock, competitor, cost or history otherwise."""
    changed = _CHANGES[kind](slots, decision, request)
    if isinstance(changed, str):
        yield Fact("missing", changed)
        return
    other, facts = changed
    yield from facts
    base, then = reruns.quote([request, other], decision.at)
    if isinstance(base, Decision) and isinstance(then, Decision):
        yield from difference(decision, base, then)


def difference(decision: Decision, base: Decision, then: Decision) -> Iterator[Fact]:
    """The price then against the price asked again as it was, and a note where that is not the recorded one."""
    if base.price_minor != decision.price_minor:
        yield Fact("rerun_price", base.price_minor)
    yield Fact("whatif_price", then.price_minor)
    if then.price_minor < base.price_minor:
        yield Fact("whatif_fall", base.price_minor - then.price_minor)
    elif then.price_minor > base.price_minor:
        yield Fact("whatif_rise", then.price_minor - base.price_minor)
    if then.scores is not None:
        yield Fact("whatif_probability", then.scores.purchase_probability.value)
        yield Fact("whatif_profit", then.scores.profit.value)


def without_each(request: QuoteRequest) -> Mapping[str, QuoteRequest]:
    """The request less one input at a time, by the name of what is left out."""
    shopper, context = request.shopper, request.context
    found: dict[str, QuoteRequest] = {}
    if shopper.id is not None:
        found["purchase_history"] = _with(request, shopper=shopper.model_copy(update={"id": None}))
    if shopper.profile:
        found["profile"] = _with(request, shopper=shopper.model_copy(update={"profile": {}}))
    if request.events:
        found["session_events"] = _with(request, events=[])
    for name, empty in (("competitor_prices", []), ("inventory", None), ("market_trend", None), ("deadline", None)):
        if getattr(context, name) not in (None, []):
            found[name] = _context(request, **{name: empty})
    if request.quantity > 1:
        found["quantity"] = _with(request, quantity=1)
    return found


def driver(decision: Decision, request: QuoteRequest, reruns: Reruns) -> Iterator[Fact]:
    """The input whose absence changes the price most, each left out in turn."""
    others = without_each(request)
    answers = reruns.quote([request, *others.values()], decision.at)
    base, left_out = answers[0], answers[1:]
    yield Fact("tried", len(others))
    moved = {
        name: then
        for name, then in zip(others, left_out, strict=True)
        if isinstance(base, Decision) and isinstance(then, Decision) and then.price_minor != base.price_minor
    }
    if not isinstance(base, Decision) or not moved:
        return
    most = max(moved, key=lambda name: abs(moved[name].price_minor - base.price_minor))
    yield Fact("driver", f"input.{most}")
    yield from difference(decision, base, moved[most])


def for_shopper(request: QuoteRequest, shopper: Shopper) -> QuoteRequest:
    """The same request by another shopper, without this session."""
    return _with(request, shopper=shopper.model_dump(), events=[])


def _stock(slots: Slots, _decision: Decision, request: QuoteRequest) -> tuple[QuoteRequest, list[Fact]]:
    now = request.context.inventory if request.context.inventory is not None else request.product.inventory
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
    rivals = [price.amount_minor for price in request.context.competitor_prices]
    now = min(rivals, default=None)
    then = slots.amount_minor
    if then is None:
        change = _RIVAL_WITHOUT_A_NUMBER_PCT if slots.change_pct is None else slots.change_pct
        then = max(1, round((now or decision.price_minor) * (1 + change / 100)))
    facts = [Fact("scenario", "scenario.competitor"), Fact("rival_if", then)]
    price = {"amount_minor": then, "currency": decision.currency}
    return _context(request, competitor_prices=[price]), facts + ([] if now is None else [Fact("rival_now", now)])


def _cost(slots: Slots, decision: Decision, request: QuoteRequest) -> tuple[QuoteRequest, list[Fact]] | str:
    now = unit_cost(decision)
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


def unit_cost(decision: Decision) -> int | None:
    """The cost behind a decision: expected profit is probability times margin, over the quantity."""
    if decision.scores is None or "product.cost" not in decision.disclosure.inputs_used:
        return None
    chance = decision.scores.purchase_probability.value
    return round(decision.price_minor - decision.scores.profit.value / chance / decision.quantity) if chance else None


def _context(request: QuoteRequest, **changes: Any) -> QuoteRequest:
    return _with(request, context=request.context.model_dump() | changes)


def _with(request: QuoteRequest, **changes: Any) -> QuoteRequest:
    return QuoteRequest.model_validate(request.model_dump() | changes)


_CHANGES: Final = {
    Kind.WHAT_IF_STOCK: _stock,
    Kind.WHAT_IF_COMPETITOR: _competitor,
    Kind.WHAT_IF_COST: _cost,
    Kind.WHAT_IF_HISTORY: _history,
}
