"""Every law file does what its text says, in a held table of situations and for any other one."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from agent.domain.decision import Disclosure
from agent.rules.disclosure import Offered, disclose, is_personal
from agent.rules.gateway import GatewayFacts, GatewayRules, guard
from agent.rules.packs import binding, find_jurisdiction, law_at, law_of, law_versions, legal_day, taking_effect
from agent.rules.packs.jurisdictions import Jurisdiction, NoticeWhen, Status
from agent.rules.packs.law_in_force import holding

TABLE: Final = yaml.safe_load((Path(__file__).parent / "situations.yaml").read_text("utf-8"))
REFERENCE: Final = 1_000
PRICES: Final = {"up": 1_200, "down": 800, "none": REFERENCE}
INPUTS: Final = {
    "personal": ("product.cost", "purchase_history", "profile.income"),
    "none": ("product.cost", "context.season"),
}
REASON: Final = "delivery within the hour."


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table, as its head describes it."""

    place: str | None
    day: date
    category: str
    moved: str
    data: str
    consent: str
    law: str
    required: str
    text: str
    may: str
    days: int | None

    @property
    def disclosure(self) -> Disclosure:
        offered = Offered(PRICES[self.moved], REFERENCE, REASON if self.consent == "yes" else None)
        return disclose(offered, INPUTS[self.data], (), self.place, self.day)


ROWS: Final = [Row(*row) for row in TABLE["rows"]]
IDS: Final = [f"{r.place}-{r.day}-{r.category}-{r.moved}-{r.data}-{r.consent}" for r in ROWS]
TEXTS: Final[Mapping[str, str]] = TABLE["texts"]


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_a_situation_is_treated_as_the_text_of_its_law_says(row: Row) -> None:
    told = row.disclosure
    law = law_of(row.place, row.day)
    assert (told.law, told.required, told.text) == (row.law, row.required == "yes", TEXTS[row.text])
    assert law.prior_price_days == row.days
    bound = binding(row.place, row.category, row.day, consent=row.consent == "yes")
    allowed = "none" if bound.no_personal_prices else "down" if bound.discount_only else "up"
    assert allowed == row.may


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_the_gateway_lowers_a_personal_price_where_the_table_allows_only_lower_ones(row: Row) -> None:
    bound = binding(row.place, row.category, row.day, consent=row.consent == "yes")
    facts = GatewayFacts(REFERENCE, 2, cost_minor=100)
    price = guard(1_200, GatewayRules(discount_only=bound.discount_only), facts).price_minor
    assert (price > REFERENCE) == (row.may in ("up", "none"))  # "none": no personal price is looked for at all


def test_the_table_names_every_version_that_ever_holds() -> None:
    days = [law.in_force + timedelta(days=d) for law in law_versions() for d in (-1, 0, 1)]
    ever = {law_of(law.code, day).name for law in law_versions() for day in days}
    assert ever <= {row.law for row in ROWS}
    never = {law.name for law in law_versions()} - ever
    assert never == {"EU/1", "US-NY/1", "US-MD/1", "US-MD/2"}, "versions replaced from their own first day"


PLACES: Final = st.sampled_from(
    [None, "", "Atlantis", "CA", "US", *(name for law in law_versions() for name in (law.code, *law.aliases))]
)
DAYS: Final = st.dates(date(1990, 1, 1), date(2099, 12, 31))
CATEGORIES: Final = st.sampled_from(["", "grocery", "laptops", "Frozen food", "pet food", "books"])
NAMES: Final = st.sampled_from(
    ["product.cost", "quantity", "context.season", "purchase_history", "profile.x", "session_events", "context.points"]
)


@given(PLACES, DAYS)
def test_exactly_one_file_holds_at_any_place_on_any_day_and_only_one_in_force(place: str | None, day: date) -> None:
    law = law_of(place, day)
    assert law == law_of(place, day)
    if find_jurisdiction(place, day) is None:
        assert law.code == "OTHER"
    else:
        assert law.holds_on(day)
        later = [one for one in law_versions(law.code) if one.holds_on(day)]
        assert law == max(later, key=lambda one: (one.in_force, one.version))


@given(PLACES, DAYS, st.integers(1, 5_000), st.lists(NAMES, unique=True), st.sampled_from([None, "rush"]))
def test_a_notice_is_never_missing_where_personal_data_raised_the_price(
    place: str | None, day: date, price: int, used: list[str], reason: str | None
) -> None:
    told = disclose(Offered(price, REFERENCE, reason), used, (), place, day)
    law = law_of(place, day)
    personal = any(map(is_personal, used))
    if personal and price > REFERENCE:
        assert told.required
    if personal and price < REFERENCE:
        assert told.required == (law.notice_when is NoticeWhen.PERSONALISED)
    assert not (told.required and (not personal or price == REFERENCE))
    assert told.law == law.name
    assert (law.holds_on(day) or law.code == "OTHER") and "{" not in told.text


@given(PLACES, DAYS, CATEGORIES)
def test_consent_never_loosens_more_than_a_law_of_consent_does(place: str | None, day: date, category: str) -> None:
    without, given_ = binding(place, category, day), binding(place, category, day, consent=True)
    law = law_of(place, day)
    if not law.raise_with_consent:
        assert without == given_
    assert given_.no_personal_prices == without.no_personal_prices


# ---- the day


@pytest.mark.parametrize(
    ("place", "at", "name"),
    [
        ("US-MD", "2026-09-30T23:59:59+00:00", "OTHER/1"),
        ("US-MD", "2026-10-01T00:00:00+00:00", "US-MD/3"),  # still evening there: some hours early
        ("US-MD", "2026-09-30T20:00:00-04:00", "US-MD/3"),
        ("CN", "2026-04-09T15:59:59+00:00", "CN/1"),
        ("CN", "2026-04-09T16:00:00+00:00", "CN/2"),  # midnight in Beijing
        ("GB", "2025-04-05T22:59:59+00:00", "OTHER/1"),
        ("GB", "2025-04-05T23:00:00+00:00", "GB/1"),  # midnight of summer time
        ("FI", "2022-05-27T21:00:00+00:00", "EU/2"),
    ],
)
def test_a_version_begins_no_later_than_midnight_of_its_place(place: str, at: str, name: str) -> None:
    assert law_at(place, datetime.fromisoformat(at)).name == name


@given(PLACES, st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)))
def test_the_legal_day_is_never_before_that_of_utc_nor_a_day_ahead_of_it(place: str | None, at: datetime) -> None:
    moment = at.replace(tzinfo=UTC)
    assert 0 <= (legal_day(place, moment) - moment.date()).days <= 1


def version(number: int, first: str, last: str | None = None) -> Jurisdiction:
    known: dict[str, Any] = law_versions("US-NY")[0].model_dump(exclude={"version", "in_force", "until"})
    return Jurisdiction.model_validate({**known, "version": number, "in_force": first, "until": last})


def test_the_latest_in_force_holds_until_its_last_day_whatever_its_number() -> None:
    versions = [version(1, "2026-03-01"), version(2, "2026-01-01"), version(3, "2026-06-01", "2026-06-30")]

    def held(day: str) -> int | None:
        found = holding(versions, date.fromisoformat(day))
        return None if found is None else found.version

    days = ("2025-12-31", "2026-01-01", "2026-02-28", "2026-03-01", "2026-06-01", "2026-06-30", "2026-07-01")
    assert [held(day) for day in days] == [None, 2, 2, 1, 3, 3, 1]


def test_versions_that_take_effect_are_named_before_they_do() -> None:
    day = date(2027, 6, 15)
    assert [law.name for law in taking_effect(day, day + timedelta(days=30))] == ["US-CT/2"]
    assert taking_effect(date(2027, 7, 1), date(2027, 7, 31)) == ()


# ---- the files


def test_every_new_file_says_how_its_sources_were_read() -> None:
    older = {"CN/1", "EU/1", "EU/2", "OTHER/1", "US-MD/1", "US-MD/2", "US-NY/1"}
    for law in law_versions():
        for source in law.sources:
            assert law.name in older or source.read is None or source.read == "text" or source.seen
        if law.name not in older:
            assert any(source.read is not None for source in law.sources), law.name
        assert law.status is not Status.ANNOUNCED or law.notes
        assert all(duty.do and duty.source for duty in law.duties)


def test_a_law_with_consent_says_the_reason_and_raised_only_laws_never_speak_of_lowered_prices() -> None:
    for law in law_versions():
        assert not law.raise_with_consent or "{reason}" in (law.notice_raised or "")
        if law.notice_when is NoticeWhen.RAISED:
            assert "INCREASED" in law.notice
