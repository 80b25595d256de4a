import json
import math
from dataclasses import replace

import pytest
from hypothesis import given

from agent.decision import Decision, Interval
from agent.store.codec import decode_decision, encode_decision
from agent.store.errors import InvalidRecord, StoreError
from tests.agent.store.builders import decision, decisions


@given(decisions)
def test_a_decision_read_equals_the_one_written(original: Decision) -> None:
    read = decode_decision(encode_decision(original))

    assert read == original
    assert read.at.utcoffset() == original.at.utcoffset()


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
        ({"format": 2}, "format"),
        ({"surprise": 1}, "surprise"),
        ({"decision": {"id": "d"}}, "decision"),
    ],
    ids=["later format", "unknown field", "missing fields"],
)
def test_text_of_another_shape_is_refused(change: dict[str, object], named: str) -> None:
    text = json.dumps(json.loads(encode_decision(decision())) | change)

    with pytest.raises(StoreError, match=named):
        decode_decision(text)


def test_a_stored_strategy_outside_the_grammar_is_refused() -> None:
    stored = json.loads(encode_decision(decision()))
    stored["decision"]["strategy"]["move_pct"] = 7

    with pytest.raises(StoreError, match="strategy"):
        decode_decision(json.dumps(stored))
