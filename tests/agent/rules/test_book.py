"""Rules on both databases: events, schedule, approval, rollback, audit."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from agent.domain.clock import FixedClock
from agent.domain.records import RuleEvent, RuleEventKind
from agent.rules import book as book_module
from agent.rules.book import Change, NeedsApproval, RuleBook, RuleError, UnknownVersion
from agent.rules.document import RulesDocument
from agent.rules.history import fold
from agent.service.auth.quote_tokens import TokenSigner
from agent.store import Store
from agent.store.engine import open_database
from agent.store.migrate import downgrade, upgrade
from tests.agent.store.builders import decision

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
TIGHT = RulesDocument.model_validate({"limits": {"max_discount": 0.1}})
LOOSE = RulesDocument.model_validate({"limits": {"max_discount": 0.9}})
SETTINGS = RulesDocument.model_validate({"limits": {"max_discount": 0.4}})


def by(who: str, at: datetime = NOW) -> Change:
    return Change(who, at, f"{who} says so")


def discount(book: RuleBook, at: datetime) -> float | None:
    return book.current(at).document.limits.max_discount


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with Store.open(store_url, FixedClock(NOW)) as opened:
        yield opened


@pytest.fixture
def book(store: Store) -> RuleBook:
    return RuleBook(store, SETTINGS)


def test_a_version_applies_in_its_time_and_not_after_it(book: RuleBook) -> None:
    assert discount(book, NOW) == 0.4
    assert book.propose(TIGHT, by("a")).number == 1
    assert discount(book, NOW) == 0.4, "proposed is not active"
    book.activate(1, by("a"), start=NOW + HOUR, end=NOW + 3 * HOUR)
    hours = [discount(book, NOW + number * HOUR) for number in range(5)]
    assert hours == [0.4, 0.1, 0.1, 0.4, 0.4]


def test_the_latest_activation_applies_and_a_rollback_restores_the_one_before(book: RuleBook) -> None:
    for number, share in enumerate((0.3, 0.2), 1):
        book.propose(RulesDocument.model_validate({"limits": {"max_discount": share}}), by("a"))
        book.activate(number, by("a", NOW + number * HOUR))
    later = NOW + 3 * HOUR
    assert discount(book, later) == 0.2
    assert book.rollback(by("b", later)).version == 2
    assert discount(book, later) == 0.3
    assert book.rollback(by("b", later)).version == 1
    assert discount(book, later) == 0.4
    with pytest.raises(RuleError, match="the settings apply"):
        book.rollback(by("b", later))
    assert discount(book, NOW + 2.5 * HOUR) == 0.2, "what held is remembered"


def test_a_scheduled_version_can_be_rolled_back_before_it_begins(book: RuleBook) -> None:
    book.propose(TIGHT, by("a"))
    book.activate(1, by("a"), start=NOW + HOUR)
    book.rollback(by("a"), version=1)
    assert discount(book, NOW + 2 * HOUR) == 0.4
    with pytest.raises(RuleError, match="neither in effect nor scheduled"):
        book.rollback(by("a"), version=1)


def test_a_version_that_loosens_waits_for_another_key(book: RuleBook) -> None:
    book.propose(LOOSE, by("a"))
    with pytest.raises(NeedsApproval, match=r"max_discount from 40\.00% to 90\.00%"):
        book.activate(1, by("a"))
    with pytest.raises(RuleError, match="allowed: approval with another key"):
        book.approve(1, by("a"))
    assert discount(book, NOW) == 0.4
    assert book.approve(1, by("b")).approved_by == ("b",)
    book.activate(1, by("a"))
    assert discount(book, NOW) == 0.9


def test_a_version_tighter_than_the_settings_may_loosen_the_rules_in_effect(book: RuleBook) -> None:
    for share in (0.1, 0.3):
        book.propose(RulesDocument.model_validate({"limits": {"max_discount": share}}), by("a"))
    book.activate(1, by("a"), start=NOW + HOUR)
    with pytest.raises(NeedsApproval):
        book.activate(2, by("a"), start=NOW + 2 * HOUR)
    book.activate(2, by("a"), end=NOW + HOUR)
    assert discount(book, NOW) == 0.3


def test_unknown_versions_and_past_times_are_refused(book: RuleBook) -> None:
    with pytest.raises(UnknownVersion, match="no version of the rules has the number 1"):
        book.activate(1, by("a"))
    book.propose(TIGHT, by("a"))
    with pytest.raises(RuleError, match="the activation ends"):
        book.activate(1, by("a"), end=NOW - HOUR)


def test_another_process_follows_within_its_time(store: Store, store_url: str) -> None:
    mine = RuleBook(store, SETTINGS)
    assert discount(mine, NOW) == 0.4
    with Store.open(store_url) as other:
        theirs = RuleBook(other, SETTINGS)
        theirs.propose(TIGHT, by("a"))
        theirs.activate(1, by("a"))
    patch = pytest.MonkeyPatch()
    with patch.context() as changed:
        changed.setattr(book_module, "FRESH_S", -1.0)
        assert discount(mine, NOW) == 0.1


def test_processes_that_propose_at_once_get_numbers_of_their_own(store_url: str) -> None:
    with Store.open(store_url):
        pass

    def propose(worker: int) -> list[int]:
        with Store.open(store_url) as own:
            return [RuleBook(own).propose(TIGHT, by(f"w{worker}")).number for _ in range(1)]

    with ThreadPoolExecutor(4) as pool:
        numbers = [number for found in pool.map(propose, range(4)) for number in found]
    assert sorted(numbers) == [1, 2, 3, 4]


def test_a_number_that_is_not_the_next_is_refused(store: Store) -> None:
    event = RuleEvent(1, RuleEventKind.PROPOSED, 1, NOW, "a", "", "{}")
    assert store.append_rule_event(event)
    assert not store.append_rule_event(event)
    assert not store.append_rule_event(replace(event, seq=3))
    assert (store.rule_seq(), store.rule_events()) == (1, [event])


def test_every_change_is_in_the_audit_log_and_an_edit_is_found(store: Store, store_url: str) -> None:
    signer = TokenSigner(Ed25519PrivateKey.generate())
    store.seal_with(signer.seal)
    book = RuleBook(store, SETTINGS)
    book.propose(LOOSE, by("a"))
    book.approve(1, by("b"))
    book.activate(1, by("a"))
    book.rollback(by("b", NOW + HOUR))
    report = store.audit_report(signer.is_sealed)
    assert (report.rows, report.problems, report.sealed) == (4, [], True)
    edits = [
        "UPDATE rule_events SET document = '{}' WHERE seq = 1",
        "UPDATE rule_events SET \"by\" = 'a' WHERE seq = 2",
        "UPDATE rule_events SET active_until = 1 WHERE seq = 3",
        "DELETE FROM rule_events WHERE seq = 4",
    ]
    with closing(open_database(store_url)) as database:
        for edit in edits:
            with database.write() as connection:
                connection.execute(text(edit))
    assert len(store.audit_report(signer.is_sealed).problems) == 4


def test_going_down_keeps_decisions_logged_and_rules_go(store_url: str) -> None:
    signer = TokenSigner(Ed25519PrivateKey.generate())
    with Store.open(store_url) as store:
        store.record_decisions([decision(id="d1")])
        RuleBook(store).propose(TIGHT, by("a"))
        store.record_decisions([decision(id="d2")])
    with closing(open_database(store_url)) as database:
        downgrade(database, "0005")
        upgrade(database)
    with Store.open(store_url) as store:
        report = store.audit_report(signer.is_sealed)
        assert (report.rows, report.problems, store.rule_events()) == (2, [], [])
        RuleBook(store).propose(TIGHT, by("a"))
        assert store.audit_report(signer.is_sealed).problems == []


_windows = st.lists(st.tuples(st.integers(0, 8), st.none() | st.integers(1, 8), st.booleans()), max_size=6)


@given(_windows, st.integers(0, 20))
def test_in_effect_is_the_latest_activation_that_includes_the_moment(
    windows: list[tuple[int, int | None, bool]], hour: int
) -> None:
    events = [RuleEvent(1, RuleEventKind.PROPOSED, 1, NOW, "a", "", "{}")]
    kept: list[tuple[int, datetime, datetime | None]] = []
    for start, length, taken_back in windows:
        begins = NOW + start * HOUR
        ends = None if length is None else begins + length * HOUR
        seq = len(events) + 1
        events.append(RuleEvent(seq, RuleEventKind.ACTIVATED, 1, NOW, "a", "", active_from=begins, active_until=ends))
        if taken_back:
            events.append(RuleEvent(seq + 1, RuleEventKind.ENDED, 1, NOW, "a", "", of_seq=seq))
        else:
            kept.append((seq, begins, ends))
    at = NOW + hour * HOUR
    expected = [seq for seq, begins, ends in kept if begins <= at and (ends is None or at < ends)]
    found = fold(events).in_effect(at)
    assert (found.seq if found is not None else None) == (expected[-1] if expected else None)
