"""Reading ahead: events are read and encoded when reported, not when the next quote waits for them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from agent.domain.decision import Decision
from agent.domain.records import EventRecord, EventType, OutcomeType, ShopperRecord
from agent.domain.request import QuoteRequest
from agent.pricing.situation_reader import AHEAD
from agent.service.outcome_sequence import OutcomeReport
from agent.service.service import Service
from models.encoder.encoder import Vectors
from models.shopper.texts import STRANGER
from tests.prepared import World


@pytest.fixture
def shop(own: World) -> Iterator[Service]:
    service = own.service(language_model=False)
    yield service
    service.close()


@pytest.fixture
def read(shop: Service, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Texts encoded from here on, cached ones left out."""
    encoder = shop._parts.pipeline.observer.reader._encoder._encoder
    encode, texts = encoder.encode, []  # type: ignore[var-annotated]

    def noted(asked: Sequence[str]) -> Vectors:
        texts.extend(asked)
        return encode(asked)

    monkeypatch.setattr(encoder, "encode", noted)
    return texts


def quote(shop: Service, shopper: str, product: str) -> Decision:
    asked: dict[str, Any] = {"shopper": {"id": shopper}, "product": {"id": product}}
    found = shop.quote([QuoteRequest.model_validate(asked)])[0]
    assert isinstance(found, Decision)
    return found


def viewed(shopper: str, product: str) -> EventRecord:
    return EventRecord(shopper_id=shopper, type=EventType.VIEW, at=datetime.now(UTC), product_id=product)


def test_after_a_purchase_the_next_quote_encodes_nothing(shop: Service, own: World, read: list[str]) -> None:
    first = quote(shop, own.shopper, own.bought)
    read.clear()
    report = OutcomeReport(first.id, OutcomeType.PURCHASED, None, datetime.now(UTC))
    shop.add_outcomes([report])
    assert len(read) == 1
    quote(shop, own.shopper, own.bought)
    assert len(read) == 1


def test_after_an_event_the_next_quote_encodes_nothing(shop: Service, own: World, read: list[str]) -> None:
    quote(shop, own.shopper, own.never_bought)
    read.clear()
    shop.add_events([viewed(own.shopper, own.never_bought)])
    assert [text.startswith("just viewed ") for text in read] == [True]
    quote(shop, own.shopper, own.never_bought)
    assert len(read) == 1


def test_of_many_shoppers_only_a_few_are_read_ahead(shop: Service, own: World, read: list[str]) -> None:
    shop.add_events([viewed(f"stranger{number}", own.bought) for number in range(9)])
    assert len(read) <= AHEAD
    for number in range(9):
        quote(shop, f"known{number}", own.bought)
    read.clear()
    shop.add_events([viewed(f"known{number}", own.never_bought) for number in range(9)])
    assert len(read) <= AHEAD


def test_shoppers_who_opted_out_are_not_read_ahead(shop: Service, own: World, read: list[str]) -> None:
    quote(shop, own.shopper, own.bought)
    shop.set_shopper(ShopperRecord(own.shopper, {}, personalisation=False))
    read.clear()
    shop.add_events([viewed(own.shopper, own.never_bought)])
    assert all("just" not in text for text in read)


def test_a_model_that_left_behaviour_texts_unread_has_none_encoded(shop: Service, own: World, read: list[str]) -> None:
    reader = shop._parts.pipeline.observer.reader
    reader._provenance = replace(reader._provenance, behaviour=False)
    first = quote(shop, own.shopper, own.bought)
    shop.add_events([viewed(own.shopper, own.never_bought)])
    second = quote(shop, own.shopper, own.never_bought)
    assert STRANGER in read
    assert not any(words in text for text in read for words in ("often buys ", "just viewed "))
    assert first.scores is not None
    assert second.scores is not None
