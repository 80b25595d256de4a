"""Notices follow from the inputs actually used and the place."""

import pytest

from agent.domain.decision import IgnoredInput
from agent.rules.disclosure import SAME_FOR_EVERYONE, disclose, is_personal

USED = ("purchase_history", "product.cost", "profile.income")
IGNORED = (IgnoredInput("gender", "protected attribute: sex or gender"),)


def test_new_york_gets_the_words_of_its_law() -> None:
    notice = disclose(True, USED, IGNORED, "New York")
    assert notice.required
    assert notice.text == "THIS PRICE WAS SET BY AN ALGORITHM USING YOUR PERSONAL DATA."
    assert notice.jurisdiction == "US-NY"


def test_the_european_union_gets_its_notice_with_the_personal_inputs() -> None:
    notice = disclose(True, USED, IGNORED, "DE")
    assert notice.required
    assert notice.jurisdiction == "EU"
    assert "personalised on the basis of automated decision-making" in notice.text
    assert "purchase_history, profile.income" in notice.text
    assert "product.cost" not in notice.text


@pytest.mark.parametrize("jurisdiction", [None, "US-CA", "GB"])
def test_elsewhere_the_strict_default_requires_a_notice_with_the_inputs(jurisdiction: str | None) -> None:
    notice = disclose(True, USED, IGNORED, jurisdiction)
    assert notice.required
    assert (notice.law, notice.option is None) == ("OTHER/1", False)
    assert "profile.income" in notice.text
    assert notice.jurisdiction == jurisdiction


@pytest.mark.parametrize("jurisdiction", [None, "US-NY", "EU"])
def test_a_price_that_is_not_personalised_needs_no_notice_anywhere(jurisdiction: str | None) -> None:
    notice = disclose(False, ("product.cost",), IGNORED, jurisdiction)
    assert not notice.required
    assert notice.text == SAME_FOR_EVERYONE


def test_inputs_are_reported_as_they_were_used_and_ignored() -> None:
    notice = disclose(True, USED, IGNORED, None)
    assert notice.inputs_used == USED
    assert notice.inputs_ignored == IGNORED


@pytest.mark.parametrize(
    ("name", "personal"),
    [
        ("profile.income", True),
        ("purchase_history", True),
        ("session_events", True),
        ("context.location", True),
        ("context.anything_else", True),
        ("context.season", False),
        ("context.competitor_prices", False),
        ("product.cost", False),
        ("limits.max_price", False),
        ("quantity", False),
    ],
)
def test_what_is_not_known_to_be_impersonal_is_personal(name: str, personal: bool) -> None:
    assert is_personal(name) is personal
