"""Numbers are read in one way or refused."""

import struct
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain.money import fraction_digits, to_major
from agent.service.ingest.numerals import (
    DecimalMark,
    NumberError,
    is_numeral,
    minor_of_float,
    minor_of_text,
    number_of_text,
)

POINT, COMMA = DecimalMark.POINT, DecimalMark.COMMA
CURRENCIES = st.sampled_from(("EUR", "USD", "JPY", "KWD", "CHF"))
AMOUNTS = st.integers(0, 10**12)
GROUPS = (None, "", " ", "\u202f", "'", "\u2019")  # None: the other mark


def read(text: str, currency: str, mark: DecimalMark | None) -> int | None:
    try:
        return minor_of_text(text, currency, mark)
    except ValueError:
        return None


@pytest.mark.parametrize("text", ["1.250", "1.299", "1.000", "12.500", "20.000", "100.000", "9.999", "+1.250"])
def test_a_point_before_three_digits_is_ambiguous_and_refused(text: str) -> None:
    with pytest.raises(NumberError, match=r"--decimal point .*--decimal comma"):
        minor_of_text(text, "EUR", None)
    with pytest.raises(NumberError, match="--decimal"):
        minor_of_text(text, "JPY", None)


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("12.99", "EUR", 1299),
        ("0.5", "EUR", 50),
        ("12.345", "KWD", 12345),
        ("1.250", "KWD", 1250),
        ("1299", "JPY", 1299),
    ],
)
def test_a_plain_number_is_read(text: str, currency: str, minor: int) -> None:
    assert minor_of_text(text, currency, None) == minor


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [("19.9900", "EUR", 1999), ("1234.500", "EUR", 123450), ("1299.0", "JPY", 1299), ("1.2500", "KWD", 1250)],
)
def test_more_digits_than_the_currency_has_need_the_option(text: str, currency: str, minor: int) -> None:
    with pytest.raises(NumberError, match=f"decimals of {currency}; remedy .*--decimal point"):
        minor_of_text(text, currency, None)
    assert minor_of_text(text, currency, POINT) == minor


@pytest.mark.parametrize(
    "text", ["9,50", "1,234.56", "1 234,56", "1'234.50", "$12.00", "12,00 EUR", "1.234.567", "1E3"]
)
def test_numbers_for_people_are_refused_without_the_option(text: str) -> None:
    with pytest.raises(NumberError):
        minor_of_text(text, "EUR", None)


@pytest.mark.parametrize(
    ("text", "mark", "currency", "minor"),
    [
        ("9,50", COMMA, "EUR", 950),
        ("1.250,00", COMMA, "EUR", 125_000),
        ("1.250", COMMA, "EUR", 125_000),
        ("1 234,56", COMMA, "EUR", 123_456),
        ("1\u202f234,56", COMMA, "EUR", 123_456),
        ("1'234,50", COMMA, "CHF", 123_450),
        ("12,00 EUR", COMMA, "EUR", 1_200),
        ("€ 12,00", COMMA, "EUR", 1_200),
        ("1.250", POINT, "EUR", 125),
        ("1,250", POINT, "EUR", 125_000),
        ("1'234.50", POINT, "CHF", 123_450),
        ("1\u2019234.50", POINT, "CHF", 123_450),
        ("$12.00", POINT, "USD", 1_200),
        ("US$1,234.56", POINT, "USD", 123_456),
        ("CA$5", POINT, "CAD", 500),
        ("¥1,299", POINT, "JPY", 1_299),
        ("1,23,456.00", POINT, "INR", 12_345_600),
    ],
)
def test_the_option_reads_numbers_for_people(text: str, mark: DecimalMark, currency: str, minor: int) -> None:
    assert minor_of_text(text, currency, mark) == minor


@pytest.mark.parametrize(
    ("text", "mark", "currency"),
    [
        ("$12.00", POINT, "EUR"),
        ("12,00 USD", COMMA, "EUR"),
        ("$12 EUR", POINT, "EUR"),
        ("1,23", POINT, "EUR"),
        ("1,2345.00", POINT, "EUR"),
        ("1.25.00", POINT, "EUR"),
        ("1.23", COMMA, "EUR"),
        ("12.99", COMMA, "EUR"),
        ("1.234'567,00", COMMA, "EUR"),
        ("12,00-", COMMA, "EUR"),
        ("(12.00)", POINT, "EUR"),
        ("1,299", COMMA, "EUR"),
        ("\u0661\u0662", POINT, "EUR"),
        ("12 %", POINT, "EUR"),
        ("", POINT, "EUR"),
        ("unlimited", POINT, "EUR"),
    ],
)
def test_the_option_refuses_other_marks_signs_and_digits(text: str, mark: DecimalMark, currency: str) -> None:
    assert read(text, currency, mark) is None


@given(AMOUNTS, CURRENCIES, st.sampled_from((POINT, COMMA)), st.sampled_from((POINT, COMMA)), st.sampled_from(GROUPS))
def test_a_formatted_amount_is_read_as_itself_or_refused(
    minor: int, currency: str, mark: DecimalMark, option: DecimalMark, group: str | None
) -> None:
    other = COMMA if mark is POINT else POINT
    whole, point, fraction = f"{to_major(minor, currency):,}".partition(".")
    text = whole.replace(",", group if group is not None else other.char) + (mark.char if point else "") + fraction
    found = read(text, currency, option)
    if option is mark:
        assert found == minor
    elif group is not None and not point:
        assert found == minor  # no mark at all
    elif fraction_digits(currency) == 2:  # two digits behind a mark are no group
        assert found is None


@given(AMOUNTS, CURRENCIES, st.integers(0, 3))
def test_a_plain_amount_is_read_as_itself_and_refused_with_further_digits(
    minor: int, currency: str, zeros: int
) -> None:
    text = str(to_major(minor, currency))
    text += "0" * zeros if "." in text else ""
    found = read(text, currency, None)
    assert found == (minor if len(text.partition(".")[2]) <= fraction_digits(currency) else None)


@given(st.text(st.sampled_from("0123456789.,' -+eE$€"), max_size=12), CURRENCIES)
def test_what_is_read_without_an_option_is_the_python_value_of_the_text(text: str, currency: str) -> None:
    found = read(text, currency, None)
    assert found is None or found == Decimal(text).scaleb(fraction_digits(currency))


@given(st.integers(1, 10**9), CURRENCIES)
def test_a_float_of_either_width_is_its_amount_or_refused(minor: int, currency: str) -> None:
    exact = float(to_major(minor, currency))
    single = struct.unpack("f", struct.pack("f", exact))[0]
    assert minor_of_float(exact, currency)[0] == minor
    try:
        found, rounded = minor_of_float(single, currency)
    except ValueError:
        return
    nearest = struct.unpack("f", struct.pack("f", float(to_major(found, currency))))[0]
    assert nearest == single
    assert found == minor or not rounded


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (12.99, (1299, False)),
        (12.989999771118164, (1299, True)),
        (29.990000000000002, (2999, True)),
        (5.0, (500, False)),
    ],
)
def test_errors_of_floats_are_rounded_and_told(value: float, found: tuple[int, bool]) -> None:
    assert minor_of_float(value, "EUR") == found


@pytest.mark.parametrize("value", [12.9899, 1.005, 0.001, float("nan"), float("inf"), -1.0, 1e30, 9_999_999_999.994])
def test_floats_between_amounts_are_refused(value: float) -> None:
    with pytest.raises(ValueError):
        minor_of_float(value, "EUR")


@pytest.mark.parametrize(
    ("text", "mark", "number"),
    [
        ("12.5", None, 12.5),
        ("1e-3", None, 0.001),
        ("0.125", None, 0.125),
        ("1,000", POINT, 1000),
        ("12,5", COMMA, 12.5),
    ],
)
def test_numbers_without_unit_follow_the_same_rule(text: str, mark: DecimalMark | None, number: float) -> None:
    assert number_of_text(text, mark) == number


def test_a_bound_below_a_thousand_settles_what_is_ambiguous() -> None:
    assert number_of_text("4.125", None, 5) == 4.125
    with pytest.raises(NumberError):
        number_of_text("4.125", None)


@pytest.mark.parametrize(
    ("text", "mark", "yes"),
    [
        ("12.5", None, True),
        ("007", None, False),
        ("1-2", None, False),
        ("12,5", None, False),
        ("12,5", COMMA, True),
        ("12.5", COMMA, False),
        ("00123", COMMA, False),
        ("1,000", POINT, True),
    ],
)
def test_codes_are_no_numerals(text: str, mark: DecimalMark | None, yes: bool) -> None:
    assert is_numeral(text, mark) is yes
