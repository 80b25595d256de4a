"""The doctor warns of rules of law that will soon take effect."""

from datetime import date

from agent.service.doctor.finding import Level
from agent.service.doctor.law import check_law


def test_a_law_that_begins_within_thirty_days_is_a_warning_that_names_it() -> None:
    found = check_law(date(2027, 6, 2))
    assert (found.level, found.check) == (Level.WARNING, "law")
    assert "Connecticut on 2027-07-01 (US-CT/2)" in found.detail
    assert "pricesmith rules laws" in found.remedy


def test_none_is_told_of_earlier_or_on_the_day_itself() -> None:
    assert check_law(date(2027, 5, 31)).level is Level.OK
    assert check_law(date(2027, 7, 1)).level is Level.OK
