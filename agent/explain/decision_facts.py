"""Facts of the recorded decision itself."""

from collections.abc import Iterator
from typing import Final

from agent.domain.candidates import Scores
from agent.domain.decision import Decision, HeldReason, Rung
from agent.domain.request import QuoteRequest
from agent.explain.facts import Fact
from agent.rules.disclosure import is_personal
from agent.rules.gateway import COST_RULE, ROUNDING_RULE, STEP_RULE, UNKNOWN_BOUNDS_RULE
from agent.rules.kill_switch import RULE as KILL_SWITCH_RULE

_REASONS_TO_HOLD: Final = {
    HeldReason.NOTHING_BETTER: "reason.hold",
    HeldReason.NOT_SURE: "reason.abstained",
    HeldReason.CONTROL: "reason.control",
}
_HOLDING: Final = (UNKNOWN_BOUNDS_RULE, COST_RULE)
"""Rules that are told as the reason for holding the reference price."""
_BY_TRAIL: Final = {UNKNOWN_BOUNDS_RULE: HeldReason.UNKNOWN_COST, KILL_SWITCH_RULE: HeldReason.HELD_BY_MERCHANT}
_SIMILAR: Final = 3
_INPUTS: Final = {
    "product.list_price": "input.list_price",
    "product.cost": "input.cost",
    "market.past_outcomes": "input.past_outcomes",
}


def priced(decision: Decision) -> Iterator[Fact]:
    """The product, its price, and the difference to the reference price."""
    yield Fact("product", decision.product_title or decision.product_id or "")
    yield Fact("price", decision.price_minor)
    yield Fact("reference_price", decision.reference_minor)
    gap = 100 * (decision.price_minor - decision.reference_minor) / decision.reference_minor
    if gap < 0:
        yield Fact("discount_pct", -gap)
    elif gap > 0:
        yield Fact("premium_pct", gap)


def reasoned(decision: Decision) -> Iterator[Fact]:
    """The reason of the chosen strategy, or why the reference price was held."""
    held = held_because(decision)
    if held is not None:
        yield Fact("held", f"held.{held}")
    elif decision.set_by_limits:
        yield Fact("reason", "reason.limits")
    elif decision.held is not None:
        yield Fact("reason", _REASONS_TO_HOLD[decision.held])
    elif decision.explored:
        yield Fact("reason", "reason.explored")
    else:
        yield Fact("reason", f"reason.{decision.strategy.lever}")


def held_because(decision: Decision) -> str | None:
    """Code of the reason why no personalised price was looked for, None when one was.

    Decisions recorded before reasons were say it through their trail, or not at all (`unrecorded`).
    """
    if decision.held is not None:
        return None if decision.held.is_chosen else decision.held.value
    if decision.rung is not Rung.REFERENCE and decision.scores is not None:
        return None
    found = next((_BY_TRAIL[step.rule] for step in decision.trail if step.rule in _BY_TRAIL), None)
    return "unrecorded" if found is None else found.value


def scored(decision: Decision) -> Iterator[Fact]:
    """Purchase probability, expected profit and satisfaction at the price, and at the reference price."""
    if decision.scores is None or held_because(decision) is not None:
        return
    yield from at_price(decision.scores)
    yield Fact("confidence", decision.confidence)
    yield Fact("candidates", len(decision.candidates))
    yield Fact("rung", f"rung.{decision.rung}")
    if decision.price_minor == decision.reference_minor:
        return
    for candidate in decision.candidates:
        if candidate.price_minor == decision.reference_minor:
            yield Fact("reference_probability", candidate.scores.purchase_probability.value)
            yield Fact("reference_profit", candidate.scores.profit.value)
            return


def at_price(scores: Scores) -> Iterator[Fact]:
    """The three scores of the price."""
    chance = scores.purchase_probability
    yield Fact("purchase_probability", chance.value)
    yield Fact("purchase_low", chance.low)
    yield Fact("purchase_high", chance.high)
    yield Fact("profit", scores.profit.value)
    yield Fact("satisfaction", scores.satisfaction.value)


def weighed(decision: Decision, request: QuoteRequest) -> Iterator[Fact]:
    """Cost, cheapest competitor price and stock, where they entered the choice."""
    if held_because(decision) is not None:
        return
    cost, rival, stock = cost_used(decision), cheapest_rival(request), stock_known(request)
    if cost is not None:
        yield Fact("cost_now", cost)
    if rival is not None:
        yield Fact("rival_now", rival)
    if stock is not None:
        yield Fact("stock_now", stock)


def cost_used(decision: Decision) -> int | None:
    """The cost of a unit that entered a decision, in minor units; None where none did, or it was not recorded."""
    return decision.cost_minor if "product.cost" in decision.disclosure.inputs_used else None


def cheapest_rival(request: QuoteRequest) -> int | None:
    """The lowest competitor price in the request."""
    return min((price.amount_minor for price in request.context.competitor_prices), default=None)


def stock_known(request: QuoteRequest) -> int | None:
    """The stock in the request."""
    return request.context.inventory if request.context.inventory is not None else request.product.inventory


def ruled(decision: Decision) -> Iterator[Fact]:
    """The last limit that moved the price; rounding only where nothing else did."""
    steps = [step for step in decision.trail if step.rule not in _HOLDING and step.from_minor != step.to_minor]
    moved = [step for step in steps if step.rule not in (ROUNDING_RULE, STEP_RULE)] or steps
    if moved:
        yield Fact("rule", f"rule.{_rule(moved[-1].rule)}")
        yield Fact("rule_from", moved[-1].from_minor)
        yield Fact("rule_to", moved[-1].to_minor)
        yield Fact("rules", len(moved))
        if len(moved) > 1:
            yield Fact("limits", tuple(f"rule.{step.rule}" for step in moved))


def alike(decision: Decision) -> Iterator[Fact]:
    """Outcomes of similar offers to similar shoppers, as retrieved then."""
    if decision.evidence:
        sold = [outcome.price_ratio for outcome in decision.evidence if outcome.bought]
        yield Fact("outcomes", len(decision.evidence))
        yield Fact("bought", len(sold))
        gap = 100 * (sum(sold) / len(sold) - 1) if sold else 0.0
        if gap <= -0.05:
            yield Fact("bought_below_pct", -gap)
        elif gap >= 0.05:
            yield Fact("bought_above_pct", gap)
    titles = tuple(dict.fromkeys(product.title for product in decision.similar))
    yield Fact("similar_products", titles[:_SIMILAR])


def data_used(decision: Decision) -> Iterator[Fact]:
    """Whether the price is personalised, its inputs, and inputs that were ignored."""
    disclosure = decision.disclosure
    yield Fact("personalised", "personalised.yes" if decision.personalised else "personalised.no")
    personal = tuple(_code(name) for name in disclosure.inputs_used if is_personal(name))
    if personal:
        yield Fact("inputs" if decision.personalised else "considered", personal)
    others = tuple(_code(name) for name in disclosure.inputs_used if not is_personal(name))
    yield Fact("other_inputs", others)
    yield Fact("ignored", tuple(dict.fromkeys(f"ignored.{one.input}" for one in disclosure.inputs_ignored)))


def _rule(name: str) -> str:
    """Coded value of a rule; laws are named by their demand, not by place."""
    source, _, demand = name.partition(".")
    return f"law_{demand.rpartition('.')[2]}" if source == "law" else name


def _code(name: str) -> str:
    """Coded value of an input; profile attributes keep their own names."""
    if name in _INPUTS:
        return _INPUTS[name]
    source, _, detail = name.partition(".")
    return name if source == "profile" and detail else f"input.{detail or source}"
