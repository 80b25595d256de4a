import json
import math
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import fields, is_dataclass, replace
from functools import partial
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from agent.domain.candidates import CandidateColumns, Interval, PastOutcomeColumns
from agent.domain.decision import Decision
from agent.store.codec import (
    EncodedDecision,
    _encode_checked,
    decode_decision,
    decode_offer,
    decode_request,
    encode_decision,
)
from agent.store.errors import InvalidRecord, StoreError
from models.evaluator.lesson import Lesson, Term
from tests.agent.store.builders import decision, decisions

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@given(decisions)
def test_a_decision_read_equals_the_one_written(original: Decision) -> None:
    read = decode_decision(encode_decision(original))

    assert read == original
    assert decode_request(encode_decision(original, {"quantity": 2})) == {"quantity": 2}
    assert read.at.utcoffset() == original.at.utcoffset()


@given(decisions, st.none() | st.dictionaries(st.text(max_size=5), JSON, max_size=3))
def test_the_fast_way_writes_what_the_full_check_writes(original: Decision, request: dict[str, Any] | None) -> None:
    lesson = Lesson(0.1, 2, 0.3, 0.4, (Term("product=p1", 1.0, 0.8, 0.5, True),))
    for one in (original, replace(original, lesson=lesson)):
        expected = outcome_of(partial(_encode_checked, one, request))
        for _ in range(2):  # the first of its shape is checked in full
            assert outcome_of(partial(encode_decision, one, request)) == expected


@given(decisions, st.data())
def test_a_wrong_value_in_any_field_is_refused_as_by_the_full_check(original: Decision, data: st.DataObject) -> None:
    encode_decision(original)
    path, broken = data.draw(st.sampled_from(list(broken_ones(original))))
    expected = outcome_of(lambda: _encode_checked(broken, None))
    assert expected is InvalidRecord, path
    assert outcome_of(lambda: encode_decision(broken)) is InvalidRecord, path


def outcome_of(encode: Callable[[], EncodedDecision]) -> EncodedDecision | type[InvalidRecord]:
    try:
        return encode()
    except InvalidRecord:
        return InvalidRecord


def broken_ones(record: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Copies of a record, each with one field of the record or a nested one set to a value that it does not allow."""
    for field in fields(record):
        value, here = getattr(record, field.name), f"{path}.{field.name}"
        kinds = str(get_type_hints(type(record))[field.name])
        wrong: list[object] = [object(), b"bytes"]
        wrong += [] if "None" in kinds else [None]
        wrong += [math.nan, math.inf] if "float" in kinds or "int" in kinds else [1.5]
        wrong += [] if "str" in kinds else ["text"]
        nested = is_dataclass(value) or isinstance(value, tuple | dict)
        for bad in wrong + ([True, 7] if nested else []):
            yield here, with_value(record, field.name, bad)
        if is_dataclass(value):
            yield from ((deep, with_value(record, field.name, bad)) for deep, bad in broken_ones(value, here))
        for row, item in enumerate(value if isinstance(value, tuple | list) else ()):
            for deep, bad in broken_ones(item, f"{here}.{row}") if is_dataclass(item) else wrong_items(item, here):
                broken = [*value[:row], bad, *value[row + 1 :]]
                yield deep, with_value(record, field.name, type(value)(broken))


def wrong_items(item: Any, path: str) -> list[tuple[str, Any]]:
    """Values of other types than an item of a column has."""
    return [(path, object()), (path, None), (path, 5 if isinstance(item, str) else "text")]


def with_value(record: Any, name: str, value: object) -> Any:
    """A copy with a field set, whatever the constructor would say."""
    found = copy(record)
    object.__setattr__(found, name, value)
    return found


@given(decisions)
def test_a_text_with_candidates_row_by_row_is_read(original: Decision) -> None:
    written = encode_decision(original)
    body = json.loads(written.body)
    rows = {"candidates": tuple(original.candidates), "evidence": tuple(original.evidence)}
    body["format"] = 2
    body["decision"] |= TypeAdapter(dict[str, Any]).dump_python(rows, mode="json")
    older = replace(written, body=json.dumps(body, separators=(",", ":")))
    assert decode_decision(older) == decode_decision(written)
    assert decode_offer(older) == decode_offer(written)


def test_columns_of_different_lengths_are_no_candidates() -> None:
    one = decision().candidates
    with pytest.raises(ValueError, match="0 to 1 rows"):
        replace(one, origin=[])
    with pytest.raises(ValueError, match="value, low and high"):
        replace(one, profit=[[1.0, 2.0]])


def test_rows_of_columns_are_those_that_they_were_made_of() -> None:
    rows = [*decision().candidates, replace(decision().candidates[0], chosen=False, probability=0.25)]
    columns = CandidateColumns.of(rows)
    assert list(columns) == rows and columns[-1] == rows[1] and list(columns[:1]) == rows[:1] and len(columns) == 2
    assert not CandidateColumns() and list(PastOutcomeColumns()) == []
    evidence = decision().evidence
    assert PastOutcomeColumns.of(evidence) == evidence and list(evidence[:3]) == list(evidence)


def test_a_lesson_in_its_older_spelling_is_read() -> None:
    written = encode_decision(decision(lesson=Lesson(0.1, 0.2, 0.3, 0.4, (Term("product=p1", 1.0, 0.8, 0.5, True),))))
    assert written.personal is not None
    older = replace(written, personal=written.personal.replace('"independent":', '"alone":'))
    assert older != written
    assert decode_decision(older) == decode_decision(written)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("depth", ["confidence", "scores", "timing_ms"])
def test_numbers_that_are_not_finite_are_refused(number: float, depth: str) -> None:
    base = decision()
    assert base.scores is not None
    changed = {
        "confidence": number,
        "scores": replace(base.scores, profit=Interval(number, 0.0, 1.0)),
        "timing_ms": {"observe": number},
    }

    with pytest.raises(InvalidRecord, match=f"decision-1.*{depth}"):
        encode_decision(decision(**{depth: changed[depth]}))


def test_a_field_of_the_wrong_type_is_refused() -> None:
    with pytest.raises(InvalidRecord, match="price_minor"):
        encode_decision(decision(price_minor="279"))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"format": 4}, "format"),
        ({"surprise": 1}, "surprise"),
        ({"decision": {"id": "d"}}, "decision"),
    ],
    ids=["later format", "unknown field", "missing fields"],
)
def test_text_of_another_shape_is_refused(change: dict[str, object], named: str) -> None:
    encoded = encode_decision(decision())
    text = json.dumps(json.loads(encoded.body) | change)

    with pytest.raises(StoreError, match=named):
        decode_decision(replace(encoded, body=text))


def test_a_stored_strategy_outside_the_grammar_is_refused() -> None:
    encoded = encode_decision(decision())
    stored = json.loads(encoded.body)
    stored["decision"]["strategy"]["move_pct"] = 7

    with pytest.raises(StoreError, match="strategy"):
        decode_decision(replace(encoded, body=json.dumps(stored)))


def test_the_public_part_reveals_nothing_of_the_shopper() -> None:
    lesson = Lesson(0.0, 1.0, 0.0, 0.1, (Term("x=s-1077", 1, 1, 1),))
    told = decision(shopper_id="s-1077", token="of-s-1077", lesson=lesson)  # noqa: S106 no password
    encoded = encode_decision(told, {"shopper": {"id": "s-1077"}})

    assert "s-1077" not in encoded.body
    erased = decode_decision(replace(encoded, personal=None))
    assert erased == replace(told, shopper_id=None, token="", lesson=None)
    assert decode_request(replace(encoded, personal=None)) is None
