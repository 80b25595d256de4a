import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agent.domain.plain_requests import PlainRequests
from agent.domain.request import QuoteRequest

IDS = st.one_of(st.text(max_size=12), st.text("a 1\u200b\u0301\n\x00é", max_size=6), st.just("x" * 201))


@given(shopper=IDS, product=IDS)
def test_a_plain_request_is_what_validation_makes_of_two_ids(shopper: str, product: str) -> None:
    try:
        validated = QuoteRequest.model_validate({"shopper": {"id": shopper}, "product": {"id": product}})
    except ValidationError:
        with pytest.raises(ValueError):
            PlainRequests().request(shopper, product)
        return
    made = PlainRequests().request(shopper, product)
    assert made == validated
    assert made.model_dump() == validated.model_dump()
    assert made.model_fields_set == validated.model_fields_set
    assert (made.quote_id, made.arrived_s) == (validated.quote_id, validated.arrived_s)


def test_each_request_is_made_once() -> None:
    plain = PlainRequests()
    assert plain.request("a", "b") is plain.request("a", "b")
    assert plain.request("a", "c").shopper is plain.request("a", "b").shopper
