"""Notices follow from the inputs actually used and the place."""

from datetime import date

import pytest

from agent.domain.decision import Disclosure, Duty, IgnoredInput
from agent.rules.disclosure import LOWERED, SAME_FOR_EVERYONE, Offered, disclose, is_personal

USED = ("purchase_history", "product.cost", "profile.income")
IGNORED = (IgnoredInput("gender", "protected attribute: sex or gender"),)
DAY = date(2026, 12, 1)
RAISED, LOWER, SAME = Offered(1_200, 1_000), Offered(800, 1_000), Offered(1_000, 1_000)


def told(place: str | None, offered: Offered = RAISED, used: tuple[str, ...] = USED) -> Disclosure:
    return disclose(offered, used, IGNORED, place, DAY)


def test_new_york_gets_the_words_of_its_law() -> None:
    notice = told("New York")
    assert notice.required
    assert notice.text == "THIS PRICE WAS SET BY AN ALGORITHM USING YOUR PERSONAL DATA."
    assert notice.jurisdiction == "US-NY"


def test_the_european_union_gets_its_notice_with_the_personal_inputs() -> None:
    notice = told("DE")
    assert notice.required
    assert notice.jurisdiction == "EU"
    assert "personalised on the basis of automated decision-making" in notice.text
    assert "purchase_history, profile.income" in notice.text
    assert "product.cost" not in notice.text


@pytest.mark.parametrize("jurisdiction", [None, "US-TX", "Japan"])
def test_elsewhere_the_strict_default_requires_a_notice_with_the_inputs(jurisdiction: str | None) -> None:
    notice = told(jurisdiction)
    assert notice.required
    assert (notice.law, notice.option is None) == ("OTHER/1", False)
    assert "profile.income" in notice.text
    assert notice.jurisdiction == jurisdiction


@pytest.mark.parametrize("jurisdiction", [None, "US-NY", "EU"])
def test_a_price_that_is_not_personalised_needs_no_notice_anywhere(jurisdiction: str | None) -> None:
    notice = told(jurisdiction, LOWER, ("product.cost",))
    assert not notice.required
    assert notice.text == SAME_FOR_EVERYONE


def test_a_notice_is_kept_with_its_placement_language_and_duties() -> None:
    notice = told("GB")
    assert (notice.law, notice.language) == ("GB/1", "en")
    assert notice.placement is not None and "with the price" in notice.placement
    assert any("total price" in duty.do and "section 230" in duty.source for duty in notice.duties)
    assert told("GB", SAME).placement is None, "nothing need be placed where no notice is required"
    assert told("GB", SAME).duties == notice.duties, "the total price is owed with every price"
    assert isinstance(notice.duties[0], Duty)


def test_connecticut_needs_a_notice_of_raised_prices_alone() -> None:
    assert told("US-CT").required
    lowered = told("US-CT", LOWER)
    assert (lowered.required, lowered.text, lowered.option is not None) == (False, LOWERED, True)


def test_a_consent_is_told_only_of_the_price_that_it_raised() -> None:
    asked = Offered(1_200, 1_000, "delivery at night")
    notice = told("Manitoba", asked)
    assert (notice.consent, "Reason: delivery at night." in notice.text) == ("delivery at night", True)
    assert told("Manitoba", Offered(800, 1_000, "delivery at night")).consent is None
    assert told("Manitoba", asked, ("product.cost",)).consent is None


def test_china_is_told_in_chinese_that_a_price_is_the_same_for_all() -> None:
    for offered, used in ((SAME, USED), (SAME, ("product.cost",)), (LOWER, ("product.cost",))):
        text = told("CN", offered, used).text
        assert "人人" in text or "所有人" in text


def test_inputs_are_reported_as_they_were_used_and_ignored() -> None:
    notice = told(None)
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
