"""The gateway's guarantees, as properties over arbitrary combinations of rules."""

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.rules.gateway import (
    COST_RULE,
    STEP_RULE,
    UNKNOWN_BOUNDS,
    Bounds,
    GatewayError,
    GatewayFacts,
    GatewayRules,
    bounds,
    guard,
    tightest,
)
from models.strategist.strategy import Rounding

RULES = GatewayRules(floor_minor=500, ceiling_minor=2000, min_margin_frac=0.2)
FACTS = GatewayFacts(reference_minor=1000, fraction_digits=2, cost_minor=600, last_price_minor=900)

amounts = st.integers(1, 10**7) | st.integers(1, 3000)
fractions = st.floats(0, 0.99)
rule_sets = st.builds(
    GatewayRules,
    floor_minor=st.none() | amounts,
    ceiling_minor=st.none() | amounts,
    map_minor=st.none() | amounts,
    min_margin_frac=st.just(0.0) | fractions,
    max_discount_frac=st.none() | fractions,
    max_change_frac=st.none() | fractions,
    never_above_reference=st.booleans(),
    rounding=st.sampled_from(Rounding),
)
fact_sets = st.builds(
    GatewayFacts,
    reference_minor=amounts,
    fraction_digits=st.sampled_from([0, 2, 3]),
    cost_minor=st.none() | amounts,
    last_price_minor=st.none() | amounts,
    tried=st.none() | st.builds(lambda low, width: Bounds(low, low + width), amounts, st.integers(0, 3_000)),
)
proposals = st.integers(-100, 10**7) | st.integers(1, 3000)


def hard_low(rules: GatewayRules, facts: GatewayFacts) -> int:
    known = [value for value in (rules.floor_minor, rules.map_minor, facts.cost_minor) if value is not None]
    return max(known, default=1)


def upper(rules: GatewayRules, facts: GatewayFacts) -> float:
    promised = facts.reference_minor if rules.never_above_reference else float("inf")
    return min(promised, float("inf") if rules.ceiling_minor is None else rules.ceiling_minor)


@given(proposals, rule_sets, fact_sets)
@example(1231, GatewayRules(floor_minor=1, rounding=Rounding.CHARM), FACTS)
def test_guarding_twice_changes_nothing_more(raw: int, rules: GatewayRules, facts: GatewayFacts) -> None:
    once = guard(raw, rules, facts).price_minor
    assert guard(once, rules, facts).price_minor == once


@given(proposals, proposals, rule_sets, fact_sets)
def test_a_higher_proposal_never_gets_a_lower_price(a: int, b: int, rules: GatewayRules, facts: GatewayFacts) -> None:
    low, high = sorted((a, b))
    assert guard(low, rules, facts).price_minor <= guard(high, rules, facts).price_minor


@given(proposals, rule_sets, fact_sets)
def test_price_never_falls_below_cost_floor_map_or_margin(raw: int, rules: GatewayRules, facts: GatewayFacts) -> None:
    guarded = guard(raw, rules, facts)
    if guarded.held:
        return
    price = guarded.price_minor
    assert price >= hard_low(rules, facts)
    if facts.cost_minor is not None:
        margin_millionths = round(rules.min_margin_frac * 1_000_000)
        assert (price - facts.cost_minor) * 1_000_000 >= margin_millionths * price


@given(proposals, rule_sets, fact_sets)
@example(
    1,
    GatewayRules(ceiling_minor=1),
    GatewayFacts(reference_minor=2, fraction_digits=0, cost_minor=2, tried=Bounds(3, 3)),
)
def test_price_never_rises_above_ceiling_or_promise_unless_a_hard_floor_does(
    raw: int, rules: GatewayRules, facts: GatewayFacts
) -> None:
    guarded = guard(raw, rules, facts)
    if guarded.held or guarded.price_minor <= upper(rules, facts):
        return
    lower_only = replace(
        rules, ceiling_minor=None, never_above_reference=False, max_discount_frac=None, max_change_frac=None
    )
    assert guarded.conflict
    assert guarded.price_minor == bounds(lower_only, replace(facts, tried=None)).low_minor


@given(proposals, rule_sets, fact_sets)
def test_soft_bounds_hold_whenever_no_rules_exclude_each_other(
    raw: int, rules: GatewayRules, facts: GatewayFacts
) -> None:
    guarded = guard(raw, rules, facts)
    if guarded.held or guarded.conflict:
        return
    price, last = guarded.price_minor, facts.last_price_minor
    assert price <= upper(rules, facts)
    if rules.max_discount_frac is not None:
        millionths = 1_000_000 - round(rules.max_discount_frac * 1_000_000)
        assert price * 1_000_000 >= facts.reference_minor * millionths
    if rules.max_change_frac is not None and last is not None:
        assert abs(price - last) * 1_000_000 <= last * round(rules.max_change_frac * 1_000_000)


@given(proposals, rule_sets, fact_sets)
def test_trail_leads_from_proposal_to_price_without_gaps(raw: int, rules: GatewayRules, facts: GatewayFacts) -> None:
    guarded = guard(raw, rules, facts)
    at = raw
    for step in guarded.trail:
        assert step.from_minor == at
        at = step.to_minor
    assert at == guarded.price_minor
    stays = {step.rule for step in guarded.trail if step.from_minor == step.to_minor}
    assert guarded.held or not stays


@given(proposals, rule_sets, fact_sets)
def test_bounds_are_the_prices_that_guard_answers_with(raw: int, rules: GatewayRules, facts: GatewayFacts) -> None:
    allowed, price = bounds(rules, facts), guard(raw, rules, facts).price_minor
    assert allowed.clamp(price) == price
    exact = replace(rules, rounding=Rounding.EXACT)
    assert guard(raw, exact, facts).price_minor == allowed.clamp(raw)


steps = st.sampled_from([1, 5, 50, 100, 1_000])


@given(proposals, rule_sets, fact_sets, steps)
def test_a_price_is_a_multiple_of_its_step_unless_the_limits_leave_none_and_the_trail_says_so(
    raw: int, rules: GatewayRules, facts: GatewayFacts, step: int
) -> None:
    stepped = replace(rules, step_minor=step)
    guarded, allowed = guard(raw, stepped, facts), bounds(rules, facts)
    assert guard(guarded.price_minor, stepped, facts).price_minor == guarded.price_minor
    if guarded.held:
        return
    assert allowed.clamp(guarded.price_minor) == guarded.price_minor
    if guarded.price_minor % step:
        assert allowed.high_minor is not None
        assert -(-allowed.low_minor // step) * step > allowed.high_minor // step * step
        assert guarded.trail[-1].rule == STEP_RULE


@given(proposals, proposals, rule_sets, fact_sets, steps)
def test_a_higher_proposal_never_gets_a_lower_payable_price(
    a: int, b: int, rules: GatewayRules, facts: GatewayFacts, step: int
) -> None:
    low, high = sorted((a, b))
    stepped = replace(rules, step_minor=step)
    assert guard(low, stepped, facts).price_minor <= guard(high, stepped, facts).price_minor


@pytest.mark.parametrize(
    ("raw", "rounding", "step", "price"),
    [
        (14_628, Rounding.EXACT, 100, 14_600),
        (14_628, Rounding.CHARM, 100, 14_900),
        (14_628, Rounding.FIVE, 100, 14_500),
        (129_800, Rounding.CHARM, 100, 129_900),
        (1_003, Rounding.CHARM, 5, 995),
        (1_003, Rounding.EXACT, 5, 1_005),
    ],
)
def test_endings_are_those_of_payable_prices(raw: int, rounding: Rounding, step: int, price: int) -> None:
    rules = GatewayRules(floor_minor=1, rounding=rounding, step_minor=step)
    assert guard(raw, rules, FACTS).price_minor == price


@given(proposals, rule_sets, fact_sets)
def test_a_conflict_names_the_rules_that_lost_and_leaves_nothing_to_choose(
    raw: int, rules: GatewayRules, facts: GatewayFacts
) -> None:
    guarded = guard(raw, rules, facts)
    if not guarded.conflict or guarded.held:
        return
    assert any("excludes" in step.detail and step.detail.endswith("goes first") for step in guarded.trail)
    assert guarded.forced or guarded.by_last_price or rules.max_change_frac is not None


@given(proposals, rule_sets, fact_sets)
def test_no_cost_raises_a_price_above_the_reference_against_other_limits(
    raw: int, rules: GatewayRules, facts: GatewayFacts
) -> None:
    guarded = guard(raw, rules, facts)
    others = max(facts.reference_minor, rules.floor_minor or 0, rules.map_minor or 0)
    if facts.cost_minor is not None and facts.cost_minor > facts.reference_minor:
        assert (guarded.price_minor, guarded.held, guarded.conflict) == (others, True, True)
    elif guarded.conflict and rules.max_discount_frac is None and rules.max_change_frac is None:
        assert guarded.price_minor <= max(others, upper(rules, facts))


@pytest.mark.parametrize("raw", [1, 1_999, 500_000])
@pytest.mark.parametrize("never_above", [True, False])
def test_a_cost_in_cents_holds_the_reference_price_and_says_so(raw: int, never_above: bool) -> None:
    rules = GatewayRules(min_margin_frac=0.05, never_above_reference=never_above)
    facts = GatewayFacts(reference_minor=1_999, fraction_digits=2, cost_minor=199_900)
    guarded = guard(raw, rules, facts)
    assert (guarded.price_minor, guarded.held, guarded.conflict) == (1_999, True, True)
    assert [(step.rule, step.detail) for step in guarded.trail] == [
        (COST_RULE, "the cost is above the reference price, which is held")
    ]
    assert guard(raw, replace(rules, floor_minor=2_500), facts).price_minor == 2_500


def test_a_margin_that_the_reference_price_lacks_holds_it_unless_the_price_may_rise() -> None:
    facts = replace(FACTS, cost_minor=970)
    held = guard(900, GatewayRules(min_margin_frac=0.05, never_above_reference=True), facts)
    assert (held.price_minor, held.held) == (1_000, True)
    assert "minimum margin" in held.trail[0].detail
    free = guard(900, GatewayRules(min_margin_frac=0.05), facts)
    assert (free.price_minor, free.held) == (1_022, False)


@given(proposals, rule_sets, fact_sets)
def test_rounding_moves_a_price_by_less_than_four_percent(raw: int, rules: GatewayRules, facts: GatewayFacts) -> None:
    exact = guard(raw, replace(rules, rounding=Rounding.EXACT), facts).price_minor
    assert abs(guard(raw, rules, facts).price_minor - exact) <= 0.04 * exact


@pytest.mark.parametrize(
    ("raw", "rules", "price", "names"),
    [
        (1000, RULES, 1000, []),
        (700, RULES, 750, ["min_margin"]),
        (700, replace(RULES, min_margin_frac=0.0), 700, []),
        (400, replace(RULES, min_margin_frac=0.0), 600, ["floor", "cost"]),
        (700, replace(RULES, map_minor=950), 950, ["map"]),
        (3000, RULES, 2000, ["ceiling"]),
        (1100, replace(RULES, never_above_reference=True), 1000, ["never_above_reference"]),
        (760, replace(RULES, max_discount_frac=0.1), 900, ["max_discount"]),
        (800, replace(RULES, max_change_frac=0.05), 855, ["max_change"]),
        (1000, replace(RULES, max_change_frac=0.05), 945, ["max_change"]),
        (1003, replace(RULES, rounding=Rounding.CHARM), 999, ["rounding"]),
        (0, GatewayRules(floor_minor=0), 600, ["positive", "cost"]),
    ],
    ids=lambda value: "-".join(value) or "none" if isinstance(value, list) else None,
)
def test_each_rule_that_moves_the_price_is_on_the_trail(
    raw: int, rules: GatewayRules, price: int, names: list[str]
) -> None:
    guarded = guard(raw, rules, FACTS)
    assert (guarded.price_minor, [step.rule for step in guarded.trail]) == (price, names)
    assert not guarded.conflict


def test_margin_bound_is_rounded_up_to_whole_minor_units() -> None:
    facts = replace(FACTS, cost_minor=601)
    assert guard(1, RULES, facts).price_minor == 752  # 601 / 0.8 = 751.25


def test_a_floor_above_the_reference_beats_the_promise_and_says_so() -> None:
    rules = GatewayRules(floor_minor=1100, never_above_reference=True)
    guarded = guard(1150, rules, FACTS)
    assert guarded.price_minor == 1100
    assert guarded.conflict
    assert [(s.rule, s.from_minor, s.to_minor) for s in guarded.trail] == [
        ("never_above_reference", 1150, 1000),
        ("floor", 1000, 1100),
    ]


def test_cost_beats_the_ceiling_and_says_so() -> None:
    guarded = guard(550, GatewayRules(ceiling_minor=550), FACTS)
    assert (guarded.price_minor, guarded.conflict) == (600, True)
    assert guarded.trail[-1].rule == "cost"


def test_the_ceiling_beats_the_largest_discount() -> None:
    guarded = guard(950, GatewayRules(ceiling_minor=800, max_discount_frac=0.1), FACTS)
    assert (guarded.price_minor, guarded.conflict) == (800, True)


def test_the_largest_discount_beats_the_largest_change() -> None:
    facts = replace(FACTS, last_price_minor=700)
    guarded = guard(700, GatewayRules(max_change_frac=0.05, max_discount_frac=0.1), facts)
    assert (guarded.price_minor, guarded.conflict) == (900, True)


@pytest.mark.parametrize("raw", [1, 1000, 99999])
def test_without_cost_and_floor_the_reference_price_is_held_and_the_trail_says_why(raw: int) -> None:
    rules = GatewayRules(ceiling_minor=900, rounding=Rounding.WHOLE)
    guarded = guard(raw, rules, replace(FACTS, cost_minor=None))
    assert guarded.held
    assert guarded.price_minor == FACTS.reference_minor
    assert [step.detail for step in guarded.trail] == [UNKNOWN_BOUNDS]
    assert bounds(rules, replace(FACTS, cost_minor=None)) == Bounds(1000, 1000)


def test_a_floor_alone_is_enough_to_price() -> None:
    guarded = guard(1, GatewayRules(floor_minor=500, min_margin_frac=0.5), replace(FACTS, cost_minor=None))
    assert (guarded.price_minor, guarded.held) == (500, False)


def test_rounding_stops_at_a_bound_that_lies_before_the_round_price() -> None:
    rules = GatewayRules(floor_minor=1, ceiling_minor=2497, rounding=Rounding.CHARM)
    guarded = guard(2480, rules, replace(FACTS, cost_minor=None))
    assert guarded.price_minor == 2497


def test_tightest_keeps_the_stricter_limit_of_every_kind() -> None:
    merchant = GatewayRules(floor_minor=100, max_discount_frac=0.3, never_above_reference=True, rounding=Rounding.CHARM)
    product = GatewayRules(floor_minor=300, ceiling_minor=900, map_minor=350, max_change_frac=0.2)
    request = GatewayRules(ceiling_minor=800, min_margin_frac=0.1, max_discount_frac=0.2)
    assert tightest(merchant, product, request) == GatewayRules(
        floor_minor=300,
        ceiling_minor=800,
        map_minor=350,
        min_margin_frac=0.1,
        max_discount_frac=0.2,
        max_change_frac=0.2,
        never_above_reference=True,
        rounding=Rounding.CHARM,
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("floor_minor", -1),
        ("ceiling_minor", 0),
        ("min_margin_frac", 1.0),
        ("min_margin_frac", float("nan")),
        ("max_discount_frac", -0.1),
        ("max_discount_frac", 1.1),
        ("max_change_frac", float("inf")),
    ],
)
def test_impossible_rules_are_refused_with_the_field_and_what_is_allowed(field: str, value: float) -> None:
    with pytest.raises(GatewayError, match=rf"{field} is .*; allowed: "):
        GatewayRules(**{field: value})  # type: ignore[arg-type]


def test_a_reference_price_of_nothing_is_refused() -> None:
    with pytest.raises(GatewayError, match="reference_minor is 0"):
        replace(FACTS, reference_minor=0)


TRIED = replace(FACTS, last_price_minor=None, tried=Bounds(900, 1_050))


@pytest.mark.parametrize(("raw", "price"), [(700, 900), (1_300, 1_050), (950, 950)])
def test_prices_that_were_never_offered_are_not_chosen_and_the_trail_says_so(raw: int, price: int) -> None:
    guarded = guard(raw, GatewayRules(), TRIED)
    assert guarded.price_minor == price
    assert [step.rule for step in guarded.trail] == ([] if raw == price else ["tried_prices"])


@given(proposals, rule_sets, fact_sets)
def test_what_was_tried_moves_no_price_beyond_a_limit_and_is_in_conflict_with_none(
    raw: int, rules: GatewayRules, facts: GatewayFacts
) -> None:
    without = replace(facts, tried=None)
    guarded, plain = guard(raw, rules, facts), guard(raw, rules, without)
    assert (guarded.conflict, guarded.held) == (plain.conflict, plain.held)
    exact = replace(rules, rounding=Rounding.EXACT)
    assert bounds(exact, without).clamp(guard(raw, exact, facts).price_minor) == guard(raw, exact, facts).price_minor
