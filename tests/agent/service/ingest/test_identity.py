from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain.records import OutcomeRecord, OutcomeType
from agent.service.ingest import identity
from agent.service.ingest.identity import Occurrences, numbered_id, outcome_content

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
OFFER = OutcomeRecord("", "s1", "p1", "EUR", 9_000, 10_000, OutcomeType.PURCHASED, 1, AT)


@given(st.lists(st.lists(st.integers(0, 20).map(str), max_size=30), max_size=12))
def test_occurrences_are_those_of_a_plain_counter(batches: Sequence[Sequence[str]]) -> None:
    occurrences, plain = Occurrences(), Counter[str]()
    for batch in batches:
        expected = []
        for text in batch:
            plain[text] += 1
            expected.append(plain[text])
        assert occurrences.number(batch) == expected
    assert occurrences.counts(["7", "unseen"]) == [plain["7"], 0]


def test_a_million_rows_take_twelve_bytes_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "_LARGEST", 30_000)
    occurrences = Occurrences()
    for start in range(0, 100_000, 2_000):
        occurrences.number([f"row {number}" for number in range(start, start + 2_000)])
    runs = occurrences._runs
    assert sum(keys.nbytes + counts.nbytes for keys, counts in runs) == 1_200_000
    assert len(runs) < 20
    assert max(len(keys) for keys, _ in runs) <= 30_000


def test_columns_that_a_later_export_may_add_are_no_part_of_an_identity() -> None:
    later = replace(OFFER, reference_minor=9_500, propensity=0.5, weight=2.0, profile={"a": 1.0}, context={"b": "c"})
    assert outcome_content(later) == outcome_content(OFFER)
    elsewhere = replace(OFFER, at=AT.astimezone(timezone(timedelta(hours=5))))
    assert outcome_content(elsewhere) == outcome_content(OFFER)


@pytest.mark.parametrize(
    "changed",
    [
        {"shopper_id": "s2"},
        {"shopper_id": None},
        {"product_id": "p2"},
        {"currency": "USD"},
        {"price_minor": 9_001},
        {"quantity": 2},
        {"type": OutcomeType.DECLINED},
        {"at": AT + timedelta(microseconds=1)},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_whatever_happened_otherwise_is_another_row(changed: dict[str, object]) -> None:
    assert outcome_content(replace(OFFER, **changed)) != outcome_content(OFFER)  # type: ignore[arg-type]


def test_identical_rows_are_numbered() -> None:
    assert len({numbered_id(outcome_content(OFFER), number) for number in range(1, 50)}) == 49
