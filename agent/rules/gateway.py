"""Gateway: the limits that every price passes last. Pure functions on integer minor units.

`guard` takes a proposed price, the rules (limits of merchant, product, request and law, joined by `tightest`) and the
facts (reference price, cost, last price). It returns the nearest allowed price and a trail of the rules that moved it.

Each rule clamps the price to an interval. Rules are applied softest first, so that the harder one wins where two
exclude each other:

0. `tried_prices`: within the prices that were ever offered, beyond which nothing is known of demand.
1. `max_change`: within this fraction of the last price quoted to the shopper.
2. `max_discount`: at most this fraction below the reference price, the one that everyone may pay.
3. `never_above_reference`: at most the reference price; `law.PLACE.discount_only` demands the same by law;
   `law.PLACE.parity`: at most the price that an unknown shopper would pay.
4. `ceiling`: at most the highest price that product, request or merchant allows.
5. `map`: at least the minimum advertised price.
6. `floor`: at least the lowest price that product, request or merchant allows.
7. `cost`, or `min_margin`: at least cost / (1 - minimum margin).

Lower bounds (5-7) therefore win over upper ones: no ceiling or promise makes a price fall below a floor or cost. The
result then has `conflict` set, and the trail names the rules that lost beside the one that won.

The cost has one limit itself: it raises no price above the reference price against other limits. Where the cost is
above the reference price, or its minimum margin asks for more than an upper bound allows, no price is right: the cost
is mistaken, or the merchant sells at a loss on purpose. The result is then the reference price, `held` and in
`conflict`, unless MAP or floor lie above it.

`price_step` and `rounding` come last and stay within the bounds: a price is a multiple of the smallest payable step,
and has a retail ending. Where the bounds leave no multiple, the price stays as it is, and the trail says so.

With neither cost nor floor known, nothing prevents a loss; the result is then the reference price, `held`.

Clamps compose to one clamp, so that `guard` is idempotent and monotone in the proposed price.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from agent.domain.decision import GuardAction, TrailStep
from models.strategist.strategy import Rounding, round_minor

UNKNOWN_BOUNDS_RULE: Final = "cost_or_floor"
TRIED_RULE: Final = "tried_prices"
CHANGE_RULE: Final = "max_change"
UNKNOWN_BOUNDS: Final = "cost and floor unknown"
_TRIED: Final = "within the prices offered so far: beyond them nothing is known of demand"
COST_RULE: Final = "cost_not_covered"
STEP_RULE: Final = "price_step"
ROUNDING_RULE: Final = "rounding"
MAX_MARGIN_FRAC: Final = 0.99
MAX_CHANGE_FRAC: Final = 100.0
_MILLION: Final = 1_000_000


class GatewayError(ValueError):
    """A limit or a price is out of range."""


@dataclass(frozen=True, slots=True)
class GatewayRules:
    """Limits of one source; None means no such rule. Fractions are rounded to the nearest millionth.

    Attributes:
        floor_minor, ceiling_minor, map_minor: Bounds in minor units; MAP is the minimum advertised price.
        min_margin_frac: Minimum of (price - cost) / price, 0 to 0.99; applies where the cost is known.
        max_discount_frac: Fraction of the reference price, 0 to 1.
        max_change_frac: Fraction of the last price, 0 to 100; applies where there is a last price.
        discount_only: Code of the jurisdiction whose law forbids personal prices above the reference.
        parity: Code of the jurisdiction whose law forbids prices above those of unknown shoppers.
        step_minor: Prices are multiples of it, as far as the bounds allow.
    """

    floor_minor: int | None = None
    ceiling_minor: int | None = None
    map_minor: int | None = None
    min_margin_frac: float = 0.0
    max_discount_frac: float | None = None
    max_change_frac: float | None = None
    never_above_reference: bool = False
    discount_only: str | None = None
    parity: str | None = None
    rounding: Rounding = Rounding.EXACT
    step_minor: int = 1

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            GatewayError: A value is out of range.
        """
        _check("floor_minor", self.floor_minor, 0, None)
        _check("ceiling_minor", self.ceiling_minor, 1, None)
        _check("map_minor", self.map_minor, 0, None)
        _check("min_margin_frac", self.min_margin_frac, 0, MAX_MARGIN_FRAC)
        _check("max_discount_frac", self.max_discount_frac, 0, 1)
        _check("max_change_frac", self.max_change_frac, 0, MAX_CHANGE_FRAC)
        _check("step_minor", self.step_minor, 1, None)


@dataclass(frozen=True, slots=True)
class Bounds:
    """An interval of prices, both ends included; `high_minor` None means no upper bound."""

    low_minor: int
    high_minor: int | None

    def clamp(self, price_minor: int) -> int:
        """The nearest price within the interval."""
        if self.high_minor is not None:
            price_minor = min(price_minor, self.high_minor)
        return max(price_minor, self.low_minor)


@dataclass(frozen=True, slots=True)
class GatewayFacts:
    """Amounts that the rules refer to, for one request, in minor units of one currency.

    `stranger_minor` is the price for an unknown shopper; None where no law of parity applies. `tried` are the prices
    that were ever offered, the reference price among them; None where that is not known.
    """

    reference_minor: int
    fraction_digits: int
    cost_minor: int | None = None
    last_price_minor: int | None = None
    stranger_minor: int | None = None
    tried: Bounds | None = None

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            GatewayError: A value is out of range.
        """
        _check("reference_minor", self.reference_minor, 1, None)
        _check("fraction_digits", self.fraction_digits, 0, 6)
        _check("cost_minor", self.cost_minor, 0, None)
        _check("last_price_minor", self.last_price_minor, 1, None)
        _check("stranger_minor", self.stranger_minor, 1, None)


@dataclass(frozen=True, slots=True)
class Guarded:
    """A price within the limits.

    Attributes:
        trail: Rules that moved the price, in order, without gaps from the proposed price to this one.
        conflict: Two rules exclude each other; the trail shows which one won.
        held: No personalised price may be made; this is the reference price, or a MAP or floor above it.
        forced: The rules allow one price only, whatever is proposed.
        by_last_price: The last price narrows the allowed prices.
    """

    price_minor: int
    trail: tuple[TrailStep, ...]
    conflict: bool = False
    held: bool = False
    forced: bool = False
    by_last_price: bool = False

    @property
    def action(self) -> GuardAction:
        """The first of `GuardAction` that applies."""
        if self.held:
            return GuardAction.HELD
        if self.conflict:
            return GuardAction.CONFLICT
        if self.forced:
            return GuardAction.FORCED
        return GuardAction.MOVED if self.trail else GuardAction.PASSED


@dataclass(frozen=True, slots=True)
class _Rule:
    name: str
    within: Bounds
    detail: str


def tightest(first: GatewayRules, *others: GatewayRules) -> GatewayRules:
    """Join the rules of several sources to the tightest limits; rounding and step are the first one's."""
    rules = (first, *others)
    return GatewayRules(
        floor_minor=max((r.floor_minor for r in rules if r.floor_minor is not None), default=None),
        ceiling_minor=min((r.ceiling_minor for r in rules if r.ceiling_minor is not None), default=None),
        map_minor=max((r.map_minor for r in rules if r.map_minor is not None), default=None),
        min_margin_frac=max(r.min_margin_frac for r in rules),
        max_discount_frac=min((r.max_discount_frac for r in rules if r.max_discount_frac is not None), default=None),
        max_change_frac=min((r.max_change_frac for r in rules if r.max_change_frac is not None), default=None),
        never_above_reference=any(r.never_above_reference for r in rules),
        discount_only=next((r.discount_only for r in rules if r.discount_only is not None), None),
        parity=next((r.parity for r in rules if r.parity is not None), None),
        rounding=first.rounding,
        step_minor=first.step_minor,
    )


def holds_reference(rules: GatewayRules, cost_minor: int | None) -> bool:
    """Whether neither cost nor floor is known, so that the reference price must be held."""
    return cost_minor is None and rules.floor_minor is None


def cost_not_covered(rules: GatewayRules, facts: GatewayFacts) -> bool:
    """Whether cost or minimum margin ask for more than the reference price, and nothing above it is right either."""
    if facts.cost_minor is None:
        return False
    wanted = _cost_rule(facts.cost_minor, rules.min_margin_frac).within.low_minor
    if wanted <= facts.reference_minor:
        return False
    others = _demanded(_clamps(rules, facts))
    others = [rule for rule in others if rule.name != CHANGE_RULE]  # that one is personal
    highest = [rule.within.high_minor for rule in others if rule.within.high_minor is not None]
    return facts.cost_minor > facts.reference_minor or wanted > min(highest, default=wanted)


def bounds(rules: GatewayRules, facts: GatewayFacts) -> Bounds:
    """The interval of prices that `guard` moves by step and rounding alone."""
    if holds_reference(rules, facts.cost_minor):
        return Bounds(facts.reference_minor, facts.reference_minor)
    if cost_not_covered(rules, facts):
        price = _held_at_loss(facts.reference_minor, rules, facts).price_minor
        return Bounds(price, price)
    return _joined(_clamps(rules, facts))


def payable_bounds(within: Bounds, step_minor: int) -> Bounds | None:
    """The multiples of the payable step within bounds; None where there is none."""
    if step_minor == 1:
        return within
    low = max(step_minor, -(-within.low_minor // step_minor) * step_minor)
    high = None if within.high_minor is None else within.high_minor // step_minor * step_minor
    return Bounds(low, high) if high is None or low <= high else None


def guard(raw_minor: int, rules: GatewayRules, facts: GatewayFacts) -> Guarded:
    """Return the allowed price nearest to `raw_minor`, with the trail that leads there."""
    if holds_reference(rules, facts.cost_minor):
        step = TrailStep(UNKNOWN_BOUNDS_RULE, raw_minor, facts.reference_minor, UNKNOWN_BOUNDS)
        return Guarded(facts.reference_minor, (step,), held=True)
    if cost_not_covered(rules, facts):
        return _held_at_loss(raw_minor, rules, facts)
    clamps = _clamps(rules, facts)
    price, trail = _clamped(raw_minor, clamps)
    within = _joined(clamps)
    allowed, steps = _presented(price, within, rules, facts)
    return Guarded(
        steps[-1].to_minor if steps else price,
        (*trail, *steps),
        conflict=_exclude_each_other(clamps),
        forced=allowed.low_minor == allowed.high_minor,
        by_last_price=within != _joined(tuple(rule for rule in clamps if rule.name != CHANGE_RULE)),
    )


def _held_at_loss(raw_minor: int, rules: GatewayRules, facts: GatewayFacts) -> Guarded:
    """The reference price, or MAP or floor where these are higher: no price covers the cost within the limits."""
    reference, cost = facts.reference_minor, facts.cost_minor or 0
    whose = "the cost" if cost > reference else "the cost with the minimum margin"
    held = TrailStep(COST_RULE, raw_minor, reference, f"{whose} is above the reference price, which is held")
    price, trail = _clamped(reference, [rule for rule in _clamps(rules, facts) if rule.name in ("map", "floor")])
    if price > reference:
        exact = replace(rules, rounding=Rounding.EXACT)
        _, steps = _presented(price, Bounds(price, None), exact, facts)
        trail += steps
    return Guarded(trail[-1].to_minor if trail else price, (held, *trail), conflict=True, held=True)


def _clamped(price_minor: int, clamps: Sequence[_Rule]) -> tuple[int, list[TrailStep]]:
    """A price through rules in turn; a rule that wins over softer ones that it excludes names them."""
    price, trail = price_minor, []
    for position, rule in enumerate(clamps):
        moved = rule.within.clamp(price)
        if moved != price:
            lost = [one.name for one in clamps[:position] if _exclude_each_other((one, rule))]
            detail = f"{rule.detail}; it excludes {' and '.join(lost)} and goes first" if lost else rule.detail
            trail.append(TrailStep(rule.name, price, moved, detail))
            price = moved
    return price, trail


def _presented(
    price_minor: int, within: Bounds, rules: GatewayRules, facts: GatewayFacts
) -> tuple[Bounds, list[TrailStep]]:
    """Move a price within bounds to a payable one with a retail ending; returns the payable bounds and the steps."""
    step, steps, price = rules.step_minor, list[TrailStep](), price_minor
    allowed = payable_bounds(within, step)
    if allowed is None:
        return within, [TrailStep(STEP_RULE, price, price, "no multiple of the payable step is within the limits")]
    if step > 1:
        price = allowed.clamp(round_minor(price, Rounding.EXACT, facts.fraction_digits, step))
        if price != price_minor:
            steps.append(TrailStep(STEP_RULE, price_minor, price, "the smallest step that can be paid"))
    rounded = allowed.clamp(_presentable(price, rules, facts.fraction_digits))
    if rounded != price:
        steps.append(TrailStep(ROUNDING_RULE, price, rounded, rules.rounding.value))
    return allowed, steps


@lru_cache(maxsize=2048)  # a request has some thirty candidates under the same rules
def _clamps(rules: GatewayRules, facts: GatewayFacts) -> tuple[_Rule, ...]:
    """The rules that apply, softest first, as intervals."""
    reference, last = facts.reference_minor, facts.last_price_minor
    clamps = [_Rule("positive", Bounds(1, None), "at least one minor unit")]
    if facts.tried is not None:
        clamps.append(_Rule(TRIED_RULE, facts.tried, _TRIED))
    if rules.max_change_frac is not None and last is not None:
        change = _millionths(rules.max_change_frac)
        window = Bounds(_scaled_ceil(last, _MILLION - change), last * (_MILLION + change) // _MILLION)
        clamps.append(_Rule(CHANGE_RULE, window, f"within {rules.max_change_frac:.2%} of the last price"))
    if rules.max_discount_frac is not None:
        lowest = _scaled_ceil(reference, _MILLION - _millionths(rules.max_discount_frac))
        detail = f"at most {rules.max_discount_frac:.2%} below the reference price"
        clamps.append(_Rule("max_discount", Bounds(lowest, None), detail))
    if rules.never_above_reference:
        clamps.append(_Rule("never_above_reference", Bounds(1, reference), "never above the reference price"))
    if rules.discount_only is not None:
        detail = f"{rules.discount_only}: no personal price above the reference price"
        clamps.append(_Rule(f"law.{rules.discount_only}.discount_only", Bounds(1, reference), detail))
    if rules.parity is not None and facts.stranger_minor is not None:
        detail = f"{rules.parity}: nobody pays more than an unknown shopper would"
        clamps.append(_Rule(f"law.{rules.parity}.parity", Bounds(1, facts.stranger_minor), detail))
    if rules.ceiling_minor is not None:
        clamps.append(_Rule("ceiling", Bounds(1, rules.ceiling_minor), "at most the highest price allowed"))
    if rules.map_minor is not None:
        clamps.append(_Rule("map", Bounds(rules.map_minor, None), "at least the minimum advertised price"))
    if rules.floor_minor is not None:
        clamps.append(_Rule("floor", Bounds(rules.floor_minor, None), "at least the lowest price allowed"))
    if facts.cost_minor is not None:
        clamps.append(_cost_rule(facts.cost_minor, rules.min_margin_frac))
    return tuple(clamps)


def _cost_rule(cost_minor: int, min_margin_frac: float) -> _Rule:
    margin = _millionths(min_margin_frac)
    if margin == 0:
        return _Rule("cost", Bounds(cost_minor, None), "never below cost")
    lowest = -(-cost_minor * _MILLION // (_MILLION - margin))  # ceil(cost / (1 - margin))
    return _Rule("min_margin", Bounds(lowest, None), f"a margin of at least {min_margin_frac:.2%} of the price")


def _joined(clamps: Sequence[_Rule]) -> Bounds:
    """All clamps as one interval: the results for the smallest and the largest price."""
    low = 0
    high: int | None = None
    for rule in clamps:
        low = rule.within.clamp(low)
        high = rule.within.high_minor if high is None else rule.within.clamp(high)
    return Bounds(low, high)


def _demanded(clamps: Sequence[_Rule]) -> list[_Rule]:
    """The rules that somebody set: what was tried is no promise, and nothing is in conflict with it."""
    return [rule for rule in clamps if rule.name != TRIED_RULE]


def _exclude_each_other(clamps: Sequence[_Rule]) -> bool:
    clamps = _demanded(clamps)
    highest = min((rule.within.high_minor for rule in clamps if rule.within.high_minor is not None), default=None)
    return highest is not None and max((rule.within.low_minor for rule in clamps), default=0) > highest


def _presentable(price_minor: int, rules: GatewayRules, fraction_digits: int) -> int:
    """Round until nothing changes: a charm price may itself be near enough to a coarser one."""
    rounded = round_minor(price_minor, rules.rounding, fraction_digits, rules.step_minor)
    return rounded if rounded == price_minor else _presentable(rounded, rules, fraction_digits)


def _millionths(fraction: float) -> int:
    return round(fraction * _MILLION)


def _scaled_ceil(amount_minor: int, millionths: int) -> int:
    """Ceiling of an amount times a fraction in millionths."""
    return -(-amount_minor * millionths // _MILLION)


def _check(name: str, value: float | None, low: float, high: float | None) -> None:
    if value is None or (value >= low and (high is None or value <= high)):
        return
    allowed = f"{low} or more" if high is None else f"{low} to {high}"
    raise GatewayError(f"{name} is {value}; allowed: {allowed}")
