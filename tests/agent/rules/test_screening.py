"""Protected attributes never pass the screening, however they are written."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain.decision import IgnoredInput
from agent.domain.records import Attribute
from agent.rules.packs import load_pack, protected_attributes
from agent.rules.screening import PROFILE_TEXT, screen_profile

DAY = date(2026, 12, 1)
SHOP = load_pack("ecommerce")
FINANCE = load_pack("finance")


def test_the_starting_example_keeps_age_income_and_region_and_names_gender() -> None:
    profile: dict[str, Attribute] = {"age": 30, "income": 50000, "gender": "male", "region": "urban"}
    screened = screen_profile(profile, SHOP, None, DAY)
    assert screened.attributes == {"age": 30, "income": 50000, "region": "urban"}
    assert screened.ignored == (IgnoredInput("gender", "protected attribute: sex or gender"),)


@pytest.mark.parametrize(
    ("field", "attribute"),
    [
        ("Gender", "sex"),
        ("customer_sex", "sex"),
        ("性别", "sex"),
        ("客户性别", "sex"),
        ("ethnicGroup", "ethnicity"),
        ("race", "race"),
        ("RELIGION", "religion"),
        ("countryOfBirth", "national_origin"),
        ("has-disability", "disability"),
        ("medical history", "health"),
        ("sexualOrientation", "sexual_orientation"),
        ("maritalStatus", "marital_status"),
        ("maritalstatus", "marital_status"),
        ("婚姻状况", "marital_status"),
        ("kids_count", "family_status"),
        ("household_comp", "family_status"),
        ("household_size", "family_status"),
        ("numberOfChildren", "family_status"),
        ("\uff27\uff25\uff2e\uff24\uff25\uff32", "sex"),  # full width
        ("\u6027\U000e0100\u522b", "sex"),  # an invisible variation selector between
        ("gen\u200dder", "sex"),
    ],
)
def test_a_protected_field_is_dropped_under_any_spelling(field: str, attribute: str) -> None:
    screened = screen_profile({field: "x", "income": 1}, SHOP, None, DAY)
    assert screened.attributes == {"income": 1}
    label = protected_attributes()[attribute].label
    assert screened.ignored == (IgnoredInput(field, f"protected attribute: {label}"),)


@pytest.mark.parametrize(
    "field", ["income", "region", "page_views", "storage", "home_ownership", "sextant_owner", "loyalty_tier", "收入"]
)
def test_other_fields_stay(field: str) -> None:
    assert screen_profile({field: 1}, SHOP, "US-NY", DAY).attributes == {field: 1}


@pytest.mark.parametrize("field", ["age", "birthYear", "date_of_birth", "age-group", "年龄"])
def test_age_is_dropped_in_new_york_and_in_finance_only(field: str) -> None:
    profile: dict[str, Attribute] = {field: 30}
    assert screen_profile(profile, SHOP, "US-CA", DAY).attributes == profile
    new_york = screen_profile(profile, SHOP, "New York", DAY)
    assert new_york.attributes == {}
    assert new_york.ignored[0].reason == "protected attribute in New York: age"
    credit = screen_profile(profile, FINANCE, None, DAY)
    assert credit.attributes == {}
    assert credit.ignored[0].reason == "protected attribute: age"


@pytest.mark.parametrize(
    ("text", "kept", "label"),
    [
        ("A woman who likes running shoes", "likes running shoes", "sex or gender"),
        ("likes women's running shoes; Muslim", "likes women's running shoes", "religion or belief"),
        ("Buys coffee weekly. Has two children.", "Buys coffee weekly", "family status"),
        ("price sensitive, wheelchair user", "price sensitive", "disability"),
        ("diabetic and budget-minded", "budget-minded", "health"),
        ("Recently divorced", "", "marital status"),
        ("a gay traveller, likes hotels", "likes hotels", "sexual orientation"),
        ("喜欢电子产品\uff0c已婚\uff0c住在上海", "喜欢电子产品, 住在上海", "marital status"),
        ("spends 3,500.50 a month, Hispanic", "spends 3,500.50 a month", "ethnicity"),
    ],
)
def test_clauses_of_a_text_profile_that_mention_an_attribute_go(text: str, kept: str, label: str) -> None:
    screened = screen_profile(text, SHOP, None, DAY)
    assert screened.text == kept
    assert screened.attributes == {}
    assert IgnoredInput(PROFILE_TEXT, f"mentions a protected attribute: {label}") in screened.ignored


def test_a_text_profile_without_mentions_stays_as_it_was() -> None:
    text = "Likes familiar brands; lives in Churchill, buys arabica coffee."
    screened = screen_profile(text, SHOP, None, DAY)
    assert (screened.text, screened.ignored) == (text, ())


@pytest.mark.parametrize(
    "text",
    [
        "3.5 mm male connector",
        "black shoes",
        "race bike",
        "Turkey sandwich",
        "German knives",
        "healthy snacks",
        "baby carrots",
        "男女同款",
        "黑人牙膏",
        "老婆饼",
    ],
)
def test_goods_that_only_sound_like_an_attribute_stay(text: str) -> None:
    assert screen_profile(text, SHOP, "US-NY", DAY).text == text


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("a German customer", "national origin"),
        ("he is Black", "race"),
        ("a male with a male connector", "sex or gender"),
        ("my husband's birthday", "marital status"),
        ("坐輪椅", "disability"),
    ],
)
def test_the_same_words_of_a_person_go(text: str, label: str) -> None:
    screened = screen_profile(text, SHOP, None, DAY)
    assert IgnoredInput(PROFILE_TEXT, f"mentions a protected attribute: {label}") in screened.ignored


def test_text_in_an_attribute_is_screened_as_well() -> None:
    screened = screen_profile({"segment": "female", "notes": "single mother, loves tea"}, SHOP, None, DAY)
    assert screened.attributes == {"notes": "loves tea"}
    assert {ignored.input for ignored in screened.ignored} == {"segment", "notes"}


@given(st.text(max_size=60), st.sampled_from([" female ", ", 女,", " my husband ", " GAY ", " Muslim."]))
def test_no_text_hides_a_mention_that_stands_between_other_words(text: str, mention: str) -> None:
    screened = screen_profile(f"{text} {mention} {text}", SHOP, None, DAY)
    assert screened.ignored
    assert mention.strip(" .,") not in screened.text


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=40) | st.floats() | st.booleans(), max_size=6))
def test_screening_what_was_kept_drops_nothing_more(profile: dict[str, str | float | bool]) -> None:
    kept = screen_profile(profile, SHOP, None, DAY).attributes
    assert screen_profile(kept, SHOP, None, DAY).ignored == ()


def test_long_field_names_are_shortened_in_what_is_reported() -> None:
    screened = screen_profile({"gender_" + "x" * 500: 1}, SHOP, None, DAY)
    assert len(screened.ignored[0].input) == 80


@pytest.mark.parametrize("hidden", ["\u200d", "\u200c", "\U000e0100", "\ufe01"], ids=ascii)
def test_an_invisible_character_within_a_word_of_a_text_hides_no_attribute(hidden: str) -> None:
    screened = screen_profile(f"\u559c\u6b22\u8336\u3002\u6027{hidden}\u522b\u5973", SHOP, None, DAY)
    assert "\u5973" not in screened.text and screened.ignored[0].input == PROFILE_TEXT
