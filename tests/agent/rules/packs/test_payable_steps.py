"""Prices have no fractions that nobody can pay."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain.fields import Price
from agent.domain.records import ProductRecord
from agent.rules.document import RuleLimits, RulesDocument
from agent.rules.effective_rules import MerchantRules
from agent.rules.packs import payable, payable_step


@pytest.mark.parametrize(
    ("currency", "step_minor"),
    [("TWD", 100), ("HUF", 100), ("IDR", 100), ("IQD", 1_000), ("JPY", 1), ("KRW", 1), ("CLP", 1)]
    + [(currency, 1) for currency in ("USD", "EUR", "CHF", "SEK", "NOK", "DKK", "CZK", "KWD")],
)
def test_only_currencies_without_electronic_fractions_have_a_coarser_step(currency: str, step_minor: int) -> None:
    assert payable_step(currency) == step_minor


def test_a_merchants_step_applies_to_products_in_its_currency() -> None:
    coins = RuleLimits(price_step=Price(amount_minor=5, currency="CHF"))
    rules = MerchantRules(1, RulesDocument(limits=coins))
    steps = {code: rules.effective(ProductRecord("p", "Tea", code)).limits.step_minor for code in ("CHF", "USD", "TWD")}
    assert steps == {"CHF": 5, "USD": 1, "TWD": 100}


@given(st.integers(1, 10**9), st.sampled_from([1, 5, 100, 1_000]))
def test_a_payable_amount_is_the_largest_multiple_up_to_it_and_never_nothing(amount: int, step: int) -> None:
    found = payable(amount, step)
    assert found % step == 0
    assert found == step or found <= amount < found + step
