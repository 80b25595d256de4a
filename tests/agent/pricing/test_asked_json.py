"""Requests are recorded as they would be dumped one by one."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agent.domain.request import Context, Promotion, QuotedProduct, QuoteRequest, Shopper
from agent.pricing.record import asked_json

_words = st.text("abc", min_size=1, max_size=3)
_attributes = st.dictionaries(_words, st.booleans() | st.floats(-5, 5) | _words, max_size=2)
_shoppers = st.builds(
    Shopper,
    id=st.none() | _words,
    profile=st.none() | _attributes,
    personalisation=st.sampled_from([None, "on", "off"]),
)
_contexts = st.builds(
    lambda further, **named: Context(**{**{f"x{name}": value for name, value in further.items()}, **named}),
    _attributes,
    inventory=st.none() | st.integers(0, 9),
    season=st.just("") | _words,
    promotion=st.none()
    | _words
    | st.builds(Promotion, display=st.none() | st.booleans(), mailer=st.none() | st.booleans()),
    market_trend=st.none() | st.floats(-1, 1),
    at=st.none() | st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
)
_products = st.builds(QuotedProduct, id=_words, title=st.just("") | _words, attributes=_attributes)
_events = st.lists(st.fixed_dictionaries({"type": st.sampled_from(["view", "search"]), "text": _words}), max_size=2)
_limits = st.sampled_from([{}, {"max_discount": 0.25}, {"min_price": {"amount_minor": 5, "currency": "USD"}}])


@given(
    _shoppers, _contexts, _events, st.lists(st.tuples(_products, st.integers(1, 3), _limits), min_size=1, max_size=4)
)
def test_requests_with_shared_parts_are_recorded_like_each_alone(
    shopper: Shopper, context: Context, events: list[dict[str, str]], rows: list[tuple[QuotedProduct, int, Any]]
) -> None:
    first = QuoteRequest.model_validate(
        {"shopper": shopper, "context": context, "events": events, "product": {"id": "p"}}
    )
    requests = [
        first.model_copy(
            update={"product": product, "quantity": quantity, "limits": type(first.limits).model_validate(limits)}
        )
        for product, quantity, limits in rows
    ]
    others = [one.model_copy(deep=True) for one in requests]
    alone = [one.model_dump(mode="json", exclude_defaults=True) for one in requests]
    assert asked_json(requests) == alone
    assert asked_json([*requests, *others]) == alone * 2
