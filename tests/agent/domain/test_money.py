from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain.money import MAX_MINOR, MoneyError, fraction_digits, show, to_major, to_minor

CURRENCIES = ("USD", "JPY", "KWD", "EUR", "CNY", "CLF")


@given(st.integers(0, MAX_MINOR), st.sampled_from(CURRENCIES))
def test_minor_units_survive_the_way_to_major_and_back(amount: int, currency: str) -> None:
    major = to_major(amount, currency)
    assert to_minor(major, currency) == amount
    assert to_minor(str(major), currency) == amount


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("2.79", "USD", 279),
        ("2.790", "USD", 279),
        ("0", "USD", 0),
        (".5", "USD", 50),
        ("3.", "USD", 300),
        ("1e3", "USD", 100_000),
        ("500", "JPY", 500),
        ("1.234", "KWD", 1_234),
        ("10000000000", "USD", MAX_MINOR),
        (Decimal("0.07"), "USD", 7),
    ],
)
def test_decimals_become_minor_units_exactly(amount: str | Decimal, currency: str, minor: int) -> None:
    assert to_minor(amount, currency) == minor


@pytest.mark.parametrize(
    ("amount", "currency"),
    [
        ("2.795", "USD"),
        ("1.5", "JPY"),
        ("2.79000000000000000000000000000000000001", "USD"),
        ("-1", "USD"),
        ("10000000000.01", "USD"),
        ("1e999", "USD"),
        ("NaN", "USD"),
        ("Infinity", "USD"),
        (Decimal("sNaN"), "USD"),
        ("1_000", "USD"),
        ("1,299.00", "USD"),
        ("\uff11\uff12", "USD"),
        ("$5", "USD"),
        ("", "USD"),
        ("9" * 5_000, "USD"),
        ("1", "USDX"),
        ("1", "usd"),
        ("1", "XAU"),
    ],
)
def test_amounts_and_currencies_that_cannot_be_are_refused(amount: str | Decimal, currency: str) -> None:
    with pytest.raises(MoneyError) as refused:
        to_minor(amount, currency)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize(("currency", "digits"), [("USD", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4)])
def test_digits_are_those_of_the_currency(currency: str, digits: int) -> None:
    assert fraction_digits(currency) == digits


def test_people_see_major_units_with_all_digits() -> None:
    assert show(123_450, "USD") == "1,234.50 USD"
    assert show(500, "JPY") == "500 JPY"
