"""Sequences of outcomes: what can be is stored once, what cannot is refused, and answers are what is stored."""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.domain.records import OutcomeRecord, OutcomeType
from agent.domain.refusal import Refusal
from agent.service.outcome_sequence import OutcomeReport, OutcomeSequence
from agent.store.codec import Offer

BOUGHT, RETURNED, DECLINED = OutcomeType.PURCHASED, OutcomeType.RETURNED, OutcomeType.DECLINED
RATED = OutcomeType.RATED
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOW = AT + timedelta(hours=2)
OFFER = Offer("q", AT, "s", "p", "EUR", 5, 100, 120, 1.0, "evaluator/1", None)


@dataclass
class Quote:
    """A quote whose outcomes are stored between requests."""

    offer: Offer = OFFER
    stored: list[OutcomeRecord] = field(default_factory=list)
    now: datetime = NOW

    def send(self, *reports: OutcomeReport) -> list[OutcomeRecord | Refusal]:
        """One request; a minute later the next one."""
        sequence = OutcomeSequence(self.offer, self.stored)
        answers = [sequence.add(one, self.now) for one in reports]
        self.stored += sequence.fresh
        self.now += timedelta(minutes=1)
        return answers

    def one(self, kind: OutcomeType, quantity: int | None = None, **more: Any) -> OutcomeRecord | Refusal:
        """One report in a request of its own."""
        return self.send(report(kind, quantity, **more))[0]


def report(kind: OutcomeType, quantity: int | None = None, **more: Any) -> OutcomeReport:
    return OutcomeReport("q", kind, quantity, **more)


def status(answer: OutcomeRecord | Refusal) -> int:
    return answer.status if isinstance(answer, Refusal) else 200


def kept(quote: Quote) -> list[tuple[str, int]]:
    return [(one.type.value, one.quantity) for one in quote.stored]


def test_partial_returns_in_one_list_are_kept_until_nothing_is_left() -> None:
    quote = Quote()
    answers = quote.send(report(BOUGHT), report(RETURNED, 1), report(RETURNED, 1), report(RETURNED, 4))
    assert [status(one) for one in answers] == [200, 200, 200, 409]
    assert kept(quote) == [("purchased", 5), ("returned", 1), ("returned", 1)]
    assert answers[:3] == quote.stored and len({one.outcome_id for one in quote.stored}) == 3
    assert isinstance(answers[3], Refusal) and answers[3].errors[0].allowed == "up to 3"


@pytest.mark.parametrize("kind", [BOUGHT, RETURNED])
def test_what_may_be_a_repetition_or_another_outcome_is_asked_back(kind: OutcomeType) -> None:
    quote = Quote()
    if kind is RETURNED:
        quote.one(BOUGHT)
    first = quote.one(kind, 1)
    unsure = quote.one(kind, 1)
    assert isinstance(unsure, Refusal) and unsure.status == 409 and "outcome_id" in unsure.detail
    another = [
        quote.one(kind, 1, outcome_id="r-2"),
        quote.one(kind, 1, at=NOW + timedelta(hours=1)),
        quote.one(kind, 1, attempt_id="a-2"),
    ]
    assert [status(one) for one in another] == [200, 200, 200]
    assert quote.stored[-4:] == [first, *another]


def test_parts_of_the_quoted_units_are_bought_one_after_the_other() -> None:
    quote = Quote()
    assert [status(quote.one(BOUGHT, units)) for units in (1, 3, 2)] == [200, 200, 409]
    assert kept(quote) == [("purchased", 1), ("purchased", 3)]
    assert [one.outcome_id for one in quote.stored] == ["q:purchased", "q:purchased:2"]


@pytest.mark.parametrize(
    "more",
    [{}, {"at": NOW}, {"outcome_id": "r"}, {"attempt_id": "a"}, {"outcome_id": "r", "attempt_id": "b"}],
    ids=["plain", "at", "outcome_id", "idempotency key", "both"],
)
@pytest.mark.parametrize("kind", [BOUGHT, RETURNED, DECLINED])
def test_a_report_sent_again_changes_nothing_and_is_answered_with_what_is_stored(
    kind: OutcomeType, more: dict[str, Any]
) -> None:
    quote = Quote()
    if kind is RETURNED:
        quote.one(BOUGHT)
    first = quote.one(kind, **more)
    assert status(first) == 200
    assert [quote.one(kind, **more), *quote.send(report(kind, **more), report(kind, **more))] == [first] * 3
    assert quote.stored[-1] == first and len(quote.stored) == (2 if kind is RETURNED else 1)


def test_two_like_rows_of_one_list_are_two_outcomes_and_the_list_sent_again_is_none() -> None:
    quote = Quote()
    rows = [report(BOUGHT), *[report(RETURNED, 1, at=NOW)] * 2]
    answers = quote.send(*rows)
    assert len(quote.stored) == 3
    assert quote.send(*rows[1:]) == answers[1:] and len(quote.stored) == 3


@pytest.mark.parametrize(
    ("before", "sent", "expected", "field_name"),
    [
        ([], report(BOUGHT, 500), 422, "quantity"),
        ([], report(RETURNED, 7), 422, "quantity"),
        ([], report(DECLINED, 6), 422, "quantity"),
        ([], report(RETURNED), 409, "type"),
        ([], report(BOUGHT, at=AT - timedelta(seconds=1)), 422, "at"),
        ([], report(BOUGHT, at=NOW + timedelta(days=1, minutes=5)), 422, "at"),
        ([], report(DECLINED, at=NOW + timedelta(days=26_000)), 422, "at"),
        ([report(BOUGHT, at=NOW)], report(RETURNED, at=NOW - timedelta(seconds=1)), 422, "at"),
        ([report(BOUGHT)], report(DECLINED), 409, "type"),
        ([report(BOUGHT), report(RETURNED)], report(DECLINED), 409, "type"),
        ([report(DECLINED)], report(RETURNED, 1), 409, "type"),
        ([report(DECLINED)], report(DECLINED, at=NOW + timedelta(hours=1)), 409, "type"),
        ([report(BOUGHT)], report(BOUGHT, at=NOW + timedelta(hours=1)), 409, "quantity"),
        ([report(BOUGHT)], report(BOUGHT, 1), 409, "quantity"),
        ([report(BOUGHT)], report(BOUGHT, outcome_id="other"), 409, "quantity"),
        ([report(BOUGHT), report(RETURNED)], report(BOUGHT, 1), 409, "quantity"),
        ([report(BOUGHT, 3)], report(RETURNED, 4), 409, "quantity"),
        ([report(BOUGHT, 3)], report(BOUGHT), 409, "quantity"),
        ([report(BOUGHT, 2, outcome_id="a")], report(BOUGHT, 3, outcome_id="a"), 409, "outcome_id"),
        ([report(BOUGHT, 2, outcome_id="a")], report(RETURNED, 2, outcome_id="a"), 409, "outcome_id"),
        ([], report(RATED, rating=4), 409, "type"),
        ([report(BOUGHT)], report(RATED), 422, "rating"),
        ([], report(DECLINED, rating=1), 422, "rating"),
        ([report(BOUGHT)], report(BOUGHT, rating=4), 409, "rating"),
        ([report(BOUGHT, at=NOW)], report(RATED, rating=4, at=NOW - timedelta(seconds=1)), 422, "at"),
        (
            [report(BOUGHT), report(RATED, rating=4, outcome_id="a")],
            report(RATED, rating=5, outcome_id="a"),
            409,
            "outcome_id",
        ),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    before: list[OutcomeReport], sent: OutcomeReport, expected: int, field_name: str
) -> None:
    quote = Quote()
    assert all(isinstance(one, OutcomeRecord) for one in quote.send(*before))
    stored = list(quote.stored)
    answer = quote.send(sent)[0]
    assert isinstance(answer, Refusal) and answer.status == expected
    assert answer.errors[0].field == field_name and answer.errors[0].allowed
    assert quote.stored == stored


def test_a_rating_given_twice_is_stored_once_and_another_one_after_it() -> None:
    quote = Quote()
    quote.send(report(BOUGHT, 3))
    first = quote.one(RATED, rating=2)
    assert quote.one(RATED, rating=2) == first
    quote.one(RATED, rating=5)
    assert [(one.type.value, one.quantity, one.rating) for one in quote.stored] == [
        ("purchased", 3, None),
        ("rated", 3, 2),
        ("rated", 3, 5),
    ]
    returned = quote.one(RETURNED, rating=1)
    assert isinstance(returned, OutcomeRecord) and returned.rating == 1


def test_a_declined_quote_may_be_bought_later() -> None:
    quote = Quote()
    assert [status(quote.one(kind)) for kind in (DECLINED, BOUGHT, RETURNED)] == [200, 200, 200]


def test_a_return_without_quantity_is_of_all_that_was_bought() -> None:
    quote = Quote()
    quote.one(BOUGHT, 3)
    answer = quote.one(RETURNED)
    assert isinstance(answer, OutcomeRecord) and answer.quantity == 3


def test_a_default_time_follows_the_purchase_and_is_no_other_outcomes() -> None:
    quote = Quote()
    later = NOW + timedelta(hours=20)
    answers = quote.send(report(BOUGHT, at=later), report(RETURNED, 1), report(RETURNED, 1))
    assert [one.at for one in quote.stored] == [
        later,
        later + timedelta(microseconds=1),
        later + timedelta(microseconds=2),
    ]
    assert all(isinstance(one, OutcomeRecord) for one in answers)


def test_outcomes_of_an_older_store_that_could_not_be_now_leave_no_room() -> None:
    odd = OutcomeRecord("q:purchased", "s", "p", "EUR", 100, 120, BOUGHT, 500, NOW, "q", 1.0)
    early = replace(odd, outcome_id="q:returned", type=RETURNED, quantity=7, at=AT)
    quote = Quote(stored=[early, odd])
    assert status(quote.one(BOUGHT, 1)) == 409
    assert status(quote.one(RETURNED, 5)) == 200


def test_the_stored_id_of_an_outcome_does_not_tell_the_shops_own() -> None:
    quote = Quote()
    answer = quote.one(BOUGHT, outcome_id="order of bob@example.com")
    assert isinstance(answer, OutcomeRecord) and "bob" not in answer.outcome_id


@dataclass
class Model:
    """A quote in the plainest form: what was stored by its key, and three counts."""

    units: int
    by_key: dict[Any, tuple[OutcomeType, int]] = field(default_factory=dict)
    counts: Counter[OutcomeType] = field(default_factory=Counter)

    def send(self, key: str, kind: OutcomeType, quantity: int) -> int:
        """The status of the answer."""
        if key in self.by_key:
            return 200 if self.by_key[key] == (kind, quantity) else 409
        if quantity > self.units:
            return 422
        bought, returned = self.counts[BOUGHT], self.counts[RETURNED]
        possible = {
            BOUGHT: bought + quantity <= self.units,
            RETURNED: returned + quantity <= bought,
            DECLINED: not bought and not self.counts[DECLINED],
        }
        if not possible[kind]:
            return 409
        self.by_key[key] = (kind, quantity)
        self.counts[kind] += quantity
        return 200


steps = st.tuples(st.sampled_from("abcdefgh"), st.sampled_from((BOUGHT, RETURNED, DECLINED)), st.integers(1, 4))


@settings(max_examples=300)
@given(st.integers(1, 4), st.lists(steps, max_size=14), st.randoms(use_true_random=False))
def test_named_reports_follow_the_reference_model_however_they_are_split_into_requests(
    units: int, sent: list[tuple[str, OutcomeType, int]], random: Any
) -> None:
    model, quote = Model(units), Quote(replace(OFFER, quantity=units))
    rows = [report(kind, quantity, outcome_id=key) for key, kind, quantity in sent]
    expected = [model.send(*one) for one in sent]
    answers: list[OutcomeRecord | Refusal] = []
    while rows:
        cut = random.randint(1, len(rows))
        answers += quote.send(*rows[:cut])
        rows = rows[cut:]
    assert [status(one) for one in answers] == expected
    assert [(one.type, one.quantity) for one in quote.stored] == list(model.by_key.values())
    assert all(one in quote.stored for one in answers if isinstance(one, OutcomeRecord))


unnamed = st.tuples(
    st.sampled_from((BOUGHT, RETURNED, DECLINED)),
    st.none() | st.integers(1, 6),
    st.none() | st.integers(-1, 3),
    st.booleans(),
)


@settings(max_examples=300)
@given(st.integers(1, 5), st.lists(st.lists(unnamed, min_size=1, max_size=3), max_size=8))
def test_no_sequence_of_reports_breaks_the_books(units: int, requests: list[list[Any]]) -> None:
    quote = Quote(replace(OFFER, quantity=units))
    for number, rows in enumerate(requests):
        before = list(quote.stored)
        reports = [
            report(
                kind,
                quantity,
                at=None if hours is None else AT + timedelta(hours=hours),
                attempt_id=f"{number}:{row}" if keyed else None,
            )
            for row, (kind, quantity, hours, keyed) in enumerate(rows)
        ]
        answers = quote.send(*reports)
        assert quote.stored[: len(before)] == before  # append only
        assert all(one in quote.stored for one in answers if isinstance(one, OutcomeRecord))
        assert all(one.status in (409, 422) and one.errors for one in answers if isinstance(one, Refusal))
        for one, sent in zip(answers, reports, strict=True):
            if isinstance(one, OutcomeRecord):
                assert one.type is sent.type and sent.quantity in (None, one.quantity)
                assert sent.at in (None, one.at)
        bought, returned = (sum(o.quantity for o in quote.stored if o.type is kind) for kind in (BOUGHT, RETURNED))
        assert returned <= bought <= units
        assert len({one.outcome_id for one in quote.stored}) == len(quote.stored)
        for row, (one, sent) in enumerate(zip(answers, reports, strict=True)):
            stored_by_it = isinstance(one, OutcomeRecord) and one not in before and one not in answers[:row]
            if stored_by_it and sent.attempt_id is not None:
                assert quote.send(sent) == [one]  # an attempt that was cut off before its answer
