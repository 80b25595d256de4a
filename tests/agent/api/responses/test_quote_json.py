"""The JSON of a quote is what its response model describes, field by field, in every view."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from agent.api.responses.lists import RowAnswer, quote_row
from agent.api.responses.quote_json import encode, quote_json, recorded_fields, rounded
from agent.api.responses.quotes import QuoteAnswer, RecordedQuote
from agent.api.responses.recommendations import RecommendationsAnswer, recommendations_json
from agent.api.responses.shopper_quotes import ShopperQuoteAnswer
from agent.api.responses.shown import Shown, View
from agent.domain.candidates import Interval
from agent.domain.decision import CompetitorRecord, Decision, Duty, GuardAction
from agent.domain.refusal import FieldProblem, Refusal
from tests.agent.store.builders import decision, decisions, outcome

SHOPPER = Shown(View.SHOPPER)
MERCHANT = Shown(View.MERCHANT)
CANDIDATES = Shown(View.MERCHANT, candidates=True)

_currency = st.sampled_from(["USD", "JPY", "KWD"])
_words = st.text(max_size=12)


@st.composite
def shown_decisions(draw: st.DrawFn) -> Decision:
    """Decisions in real currencies, with everything that answers show."""
    drawn = draw(decisions)
    told = replace(
        drawn.disclosure,
        duties=tuple(draw(st.lists(st.builds(Duty, _words, _words), max_size=2))),
        language=draw(st.sampled_from([None, "en", "zh"])),
        placement=draw(st.none() | _words),
        consent=draw(st.none() | _words),
    )
    return replace(
        drawn,
        currency=draw(_currency),
        similar=tuple(replace(one, currency=draw(_currency)) for one in drawn.similar),
        competitor_prices=tuple(
            draw(st.lists(st.builds(CompetitorRecord, st.integers(0, 10**12), _words, st.sampled_from([None, True]))))
        ),
        guard=draw(st.none() | st.sampled_from(GuardAction)),
        disclosure=told,
    )


def as_described(written: bytes, model: type[BaseModel]) -> Any:
    """The JSON, which the model reads and writes as it is: no field more, none less, none of another type."""
    found = json.loads(written)
    assert json.loads(model.model_validate_json(written).model_dump_json(by_alias=True)) == found
    return found


@given(shown_decisions())
def test_every_view_is_as_its_model_describes_it(one: Decision) -> None:
    as_described(quote_json(one, SHOPPER), ShopperQuoteAnswer)
    as_described(quote_json(one, MERCHANT), QuoteAnswer)
    assert len(as_described(quote_json(one, CANDIDATES), QuoteAnswer)["candidates"]) == len(one.candidates)
    as_described(encode(recorded_fields(one, [outcome()])), RecordedQuote)
    as_described(encode(quote_row(one, CANDIDATES, "request")), RowAnswer)
    as_described(recommendations_json([one], SHOPPER), RecommendationsAnswer)


def test_a_row_without_a_price_is_as_its_model_describes_it() -> None:
    refusal = Refusal(404, "not-found", "no product has the id 'p9'", (FieldProblem("product.id", "is unknown"),))
    found = as_described(encode(quote_row(refusal, SHOPPER, "request-1")), RowAnswer)
    assert (found["status"], found["quote"]) == (404, None)
    assert found["problem"]["request_id"] == "request-1"


def test_values_stand_under_their_names() -> None:
    found = json.loads(quote_json(decision(), CANDIDATES))
    money = {"currency": "USD", "fraction_digits": 2}
    assert found["price"] == {"amount_minor": 279, **money}
    assert found["reference_price"] == {"amount_minor": 299, **money}
    assert found["trail"] == [
        {
            "rule": "floor",
            "from": {"amount_minor": 270, **money},
            "to": {"amount_minor": 279, **money},
            "detail": "cost plus margin",
        }
    ]
    assert found["scores"]["profit"] == {"value": 37.5, "low": 20.0, "high": 55.25}
    assert found["similar"][0]["price"]["amount_minor"] == 259
    assert found["evidence"] == [{"product_id": "p2", "price_ratio": 0.95, "bought": True, "similarity": 0.8}]
    assert (found["candidates"][0]["probability"], found["candidates"][0]["chosen"]) == (1.0, True)
    assert found["at"] == "2026-03-01T12:00:00Z"


def test_the_shopper_reads_nothing_of_the_merchants_affairs() -> None:
    used = ("purchases", "product.cost", "limits.min_price", "merchant.weights")
    one = decision(disclosure=replace(decision().disclosure, inputs_used=used))
    assert json.loads(quote_json(one, SHOPPER))["disclosure"]["inputs_used"] == ["purchases"]
    assert json.loads(quote_json(one, MERCHANT))["disclosure"]["inputs_used"] == list(used)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.0, 0.0), (-0.0, 0.0), (1 / 3, 0.333333), (123456.7, 123457.0), (-2.5e-9, -2.5e-9), (float("nan"), 0.0)],
)
def test_numbers_have_six_significant_digits_and_what_json_lacks_is_zero(value: float, expected: float) -> None:
    assert str(rounded(value)) == str(expected)


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300))
def test_rounding_keeps_six_digits(value: float) -> None:
    assert abs(rounded(value) - value) <= max(abs(value) * 5.1e-6, 1e-320)


def test_infinite_scores_are_zero() -> None:
    scores = decision().scores
    assert scores is not None
    endless = replace(scores, profit=Interval(float("inf"), 0.0, float("-inf")))
    found = json.loads(quote_json(decision(scores=endless), MERCHANT))
    assert found["scores"]["profit"] == {"value": 0.0, "low": 0.0, "high": 0.0}
