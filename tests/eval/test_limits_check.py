import numpy as np
import pytest

from agent.rules.gateway import GatewayFacts, GatewayRules, Guarded, guard
from eval import limits_check
from eval.limits_check import check


def test_a_few_thousand_decisions_have_no_violation() -> None:
    found = check(3_000, seed=3)
    assert found.violations == {}
    assert found.decisions == 3_000
    assert found.moved > 500
    assert found.tried > 100


@pytest.mark.parametrize("cents", [-40, 40])
def test_a_gateway_that_violates_limits_is_detected(cents: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def slips(raw_minor: int, rules: GatewayRules, facts: GatewayFacts) -> Guarded:
        guarded = guard(raw_minor, rules, facts)
        return Guarded(max(1, guarded.price_minor + cents), guarded.trail, guarded.conflict, guarded.held)

    monkeypatch.setattr(limits_check, "guard", slips)
    found = check(400, seed=3).violations
    assert {"cost and margin", "trail"} <= found.keys() if cents < 0 else "ceiling or reference" in found


def test_the_check_is_deterministic_for_a_seed() -> None:
    one, other = check(200, seed=5), check(200, seed=5)
    assert (one.moved, one.tried, one.conflicts) == (other.moved, other.tried, other.conflicts)
    assert np.isfinite(one.seconds)
