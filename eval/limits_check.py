"""`python -m eval.limits_check`: randomised check of selection and gateway on a million decisions.

Rules (contradictory ones included), costs, last prices and candidates are random; every decision goes through `select`
and `guard` as a quote does. The conditions are implemented independently of the gateway, from its documentation: prices
are within the limits, hard lower bounds always hold, the trail has no gap, and the propensity is the total probability
of the price shown.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Final

import numpy as np

from agent.pricing.bandit import Contest, Selection, select
from agent.rules.exploration import Exploration, SelectionRules
from agent.rules.gateway import Bounds, GatewayFacts, GatewayRules, Guarded, guard
from models.strategist.strategy import Rounding

MILLION: Final = 1_000_000
_CANDIDATES: Final = 6
_DRAWS: Final = 16
_TOGETHER: Final = 20  # decisions per set of rules


@dataclass(frozen=True, slots=True)
class Found:
    """Results of the check; `violations` counts by condition."""

    decisions: int
    violations: dict[str, int]
    conflicts: int
    moved: int
    tried: int
    seconds: float


def check(decisions: int, seed: int) -> Found:
    """Check `decisions` random decisions."""
    rng = np.random.default_rng(seed)
    broken: Counter[str] = Counter()
    conflicts = moved = tried = 0
    began = perf_counter()
    for done in range(0, decisions, _TOGETHER):
        rules, facts = _rules(rng), _facts(rng)
        how = SelectionRules(list(Exploration)[int(rng.integers(3))], control_frac=float(rng.integers(2)) * 0.1)
        for raw, contest in _contests(rng, rules, facts, min(_TOGETHER, decisions - done)):
            chosen = select(contest, how, rng)
            shown = guard(raw[chosen.index], rules, facts)
            broken.update(_broken(shown, rules, facts, raw[chosen.index]))
            if shown.price_minor != contest.prices[chosen.index] or not _exact(chosen, contest.prices):
                broken["propensity of the final price"] += 1
            conflicts += shown.conflict
            moved += bool(shown.trail)
            tried += chosen.explored
    return Found(decisions, dict(broken), conflicts, moved, tried, perf_counter() - began)


def main() -> int:
    """Run and print the results; returns exit code 1 if there were violations."""
    parser = argparse.ArgumentParser(prog="python -m eval.limits_check", description=__doc__)
    parser.add_argument("--decisions", type=int, default=MILLION)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    found = check(options.decisions, options.seed)
    facts = {name: getattr(found, name) for name in Found.__slots__}
    sys.stdout.write(json.dumps(facts, indent=1) + "\n")
    return 1 if found.violations else 0


def _contests(
    rng: np.random.Generator, rules: GatewayRules, facts: GatewayFacts, count: int
) -> Iterator[tuple[list[int], Contest]]:
    """Yield candidate prices before the gateway, and the contest with prices after it and random utilities."""
    factors = rng.uniform(0.3, 2.2, (count, _CANDIDATES))
    proposed = np.maximum(1, np.rint(facts.reference_minor * factors)).astype(int)
    proposed[:, 0] = facts.reference_minor
    mean = rng.normal(1.0, 0.1, (count, _CANDIDATES))
    draws = mean[:, :, None] + 0.2 * rng.standard_normal((count, _CANDIDATES, _DRAWS))
    for row, raw in enumerate(proposed.tolist()):
        prices = [guard(price, rules, facts).price_minor for price in raw]
        yield raw, Contest(prices, mean[row], draws[row], 0)


def _rules(rng: np.random.Generator) -> GatewayRules:
    has = rng.random(6) < 0.5
    return GatewayRules(
        floor_minor=int(rng.integers(50, 1_200)) if has[0] else None,
        ceiling_minor=int(rng.integers(600, 2_500)) if has[1] else None,
        map_minor=int(rng.integers(50, 1_100)) if has[2] and has[1] else None,
        min_margin_frac=float(rng.integers(0, 40)) / 100,
        max_discount_frac=float(rng.integers(0, 60)) / 100 if has[3] else None,
        max_change_frac=float(rng.integers(0, 60)) / 100 if has[4] else None,
        never_above_reference=bool(has[5]),
        discount_only="NY" if rng.random() < 0.1 else None,
        rounding=list(Rounding)[int(rng.integers(len(Rounding)))],
    )


def _facts(rng: np.random.Generator) -> GatewayFacts:
    known, before, trained = rng.random(3)
    reference = int(rng.integers(200, 2_000))
    offered = Bounds(int(reference * rng.uniform(0.5, 1.0)), int(reference * rng.uniform(1.0, 1.6)) + 1)
    return GatewayFacts(
        reference_minor=reference,
        fraction_digits=int(rng.choice([0, 2, 3])),
        cost_minor=int(rng.integers(0, 1_500)) if known < 0.8 else None,
        last_price_minor=int(rng.integers(200, 2_000)) if before < 0.5 else None,
        tried=offered if trained < 0.5 else None,
    )


def _broken(shown: Guarded, rules: GatewayRules, facts: GatewayFacts, raw: int) -> list[str]:
    """List the conditions that a price violates.

    The reference price, or MAP or floor above it, is held where it does not cover the cost and nothing else may.
    In a conflict, which `Guarded.conflict` flags, upper and soft lower bounds may yield to hard lower bounds.
    """
    price, reference = shown.price_minor, facts.reference_minor
    if facts.cost_minor is None and rules.floor_minor is None:
        return [] if price == reference else ["a price without cost and floor"]
    if shown.held:
        return _broken_hold(shown, rules, facts)
    found = []
    if facts.cost_minor is not None and price * (1 - rules.min_margin_frac) < facts.cost_minor - 1e-6:
        found.append("cost and margin")
    if price < max(rules.floor_minor or 0, rules.map_minor or 0, 1):
        found.append("floor or minimum advertised price")
    if not shown.conflict:
        highest = [rules.ceiling_minor] if rules.ceiling_minor is not None else []
        highest += [reference] if rules.never_above_reference or rules.discount_only else []
        if highest and price > min(highest):
            found.append("ceiling or reference")
        lowest = reference * (1 - (1.0 if rules.max_discount_frac is None else rules.max_discount_frac))
        if price < lowest - 1e-6:
            found.append("largest discount")
        last, change = facts.last_price_minor, rules.max_change_frac
        if last is not None and change is not None and abs(price - last) > change * last + 1e-6:
            found.append("largest change")
        found += _broken_range(price, rules, facts)
    at = raw
    for step in shown.trail:
        if step.from_minor != at:
            found.append("trail")
        at = step.to_minor
    return found if at == price else [*found, "trail"]


def _broken_range(price: int, rules: GatewayRules, facts: GatewayFacts) -> list[str]:
    """A price outside those ever offered is wrong where all other limits allow one that was."""
    offered, reference, last = facts.tried, facts.reference_minor, facts.last_price_minor
    if offered is None or offered.high_minor is None or offered.low_minor <= price <= offered.high_minor:
        return []
    lowest = [rules.floor_minor or 0, rules.map_minor or 0, (facts.cost_minor or 0) / (1 - rules.min_margin_frac)]
    highest: list[float] = [] if rules.ceiling_minor is None else [rules.ceiling_minor]
    if rules.max_discount_frac is not None:
        lowest.append(reference * (1 - rules.max_discount_frac))
    if rules.never_above_reference or rules.discount_only:
        highest.append(reference)
    if last is not None and rules.max_change_frac is not None:
        lowest.append(last * (1 - rules.max_change_frac))
        highest.append(last * (1 + rules.max_change_frac))
    low, high = max([*lowest, offered.low_minor]), min([*highest, offered.high_minor])
    return ["a price that was never offered"] if low + 1 <= high else []


def _broken_hold(shown: Guarded, rules: GatewayRules, facts: GatewayFacts) -> list[str]:
    reference, cost = facts.reference_minor, facts.cost_minor or 0
    wanted = cost / (1 - rules.min_margin_frac)
    highest = min(
        [rules.ceiling_minor or 10**9, reference if rules.never_above_reference or rules.discount_only else 10**9]
    )
    if wanted <= reference or (cost <= reference and wanted + 1 <= highest):
        return ["held although the cost is covered"]
    held = max(reference, rules.floor_minor or 0, rules.map_minor or 0)
    return [] if shown.price_minor == held else ["another price than the reference is held"]


def _exact(chosen: Selection, prices: Sequence[int]) -> bool:
    mass = sum(p for p, price in zip(chosen.probabilities, prices, strict=True) if price == prices[chosen.index])
    return abs(sum(chosen.probabilities) - 1) < 1e-9 and abs(chosen.propensity - mass) < 1e-9


if __name__ == "__main__":
    sys.exit(main())
