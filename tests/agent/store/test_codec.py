import json
import math
from dataclasses import replace

import pytest
from hypothesis import given

from agent.domain.decision import Decision, Interval
from agent.store.codec import decode_decision, decode_request, encode_decision
from agent.store.errors import InvalidRecord, StoreError
from models.evaluator.lesson import Lesson, Term
from tests.agent.store.builders import decision, decisions


@given(decisions)
def test_a_decision_read_equals_the_one_written(original: Decision) -> None:
    read = decode_decision(encode_decision(original))

    assert read == original
    assert decode_request(encode_decision(original, {"quantity": 2})) == {"quantity": 2}
    assert read.at.utcoffset() == original.at.utcoffset()


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
        ({"format": 3}, "format"),
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
