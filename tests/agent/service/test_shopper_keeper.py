"""Shoppers' memory is worked out ahead: later quotes encode and fold nothing, at the same prices."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from agent.domain.decision import Decision
from agent.domain.records import EventRecord, EventType, ShopperRecord
from agent.domain.request import QuoteRequest
from agent.service.service import Service
from models.encoder.encoder import Vectors
from tests.prepared import World


@pytest.fixture
def shop(own: World) -> Iterator[Service]:
    service = own.service(language_model=False)
    yield service
    service.close()


def encoded(shop: Service, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Texts encoded from here on, cached ones left out."""
    encoder = shop._parts.pipeline.observer.reader._encoder._encoder
    encode, texts = encoder.encode, []  # type: ignore[var-annotated]

    def noted(asked: Sequence[str]) -> Vectors:
        texts.extend(asked)
        return encode(asked)

    monkeypatch.setattr(encoder, "encode", noted)
    monkeypatch.setattr(encoder, "encode_each", noted)
    return texts


def quote(shop: Service, shopper: str, product: str) -> Decision:
    asked = {"shopper": {"id": shopper}, "product": {"id": product}}
    found = shop.drafts([QuoteRequest.model_validate(asked)])[0]
    assert isinstance(found, Decision)
    return found


def keep_all(shop: Service) -> int:
    done = 0
    while shop.keep_shopper(patient=False):
        done += 1
    return done


def test_after_a_restart_quotes_fold_and_encode_nothing_at_the_same_prices(
    shop: Service, own: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    shoppers = list(shop._parts.store.shopper_ids())
    fresh = [quote(shop, one, own.bought) for one in shoppers]
    assert keep_all(shop) >= len(shoppers)
    assert keep_all(shop) == 0, "all is done"
    again = own.service(language_model=False)
    try:
        quote(again, "nobody", own.bought)  # encodes the product's category
        texts = encoded(again, monkeypatch)
        monkeypatch.setattr(again._parts.store, "shopper_events_since", None)
        kept = [quote(again, one, own.bought) for one in shoppers]
        assert texts == []
        for one, other in zip(fresh, kept, strict=True):
            assert one.price_minor == other.price_minor
            assert one.interest == pytest.approx(other.interest, rel=1e-5), "a few seconds later"
            assert [c.price_minor for c in one.candidates] == [c.price_minor for c in other.candidates]
    finally:
        again.close()


def test_events_of_a_shopper_not_met_lately_are_encoded_when_they_are_told(
    shop: Service, own: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_all(shop)
    event = EventRecord(shopper_id=own.shopper, type=EventType.VIEW, at=datetime.now(UTC), product_id=own.never_bought)
    quote(shop, "nobody", own.bought)  # encodes the product's category
    texts = encoded(shop, monkeypatch)
    assert shop.add_events([event]) is None
    assert [text.startswith("just viewed ") for text in texts] == [True]
    quote(shop, own.shopper, own.bought)
    keep_all(shop)
    assert len(texts) == 1


def test_a_told_profile_is_encoded_and_kept_without_any_event(
    shop: Service, own: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_all(shop)
    quote(shop, "nobody", own.bought)
    texts = encoded(shop, monkeypatch)
    shop.set_shopper(ShopperRecord("described", {"region": "urban"}))
    assert texts == ["profile: region urban"]
    first = quote(shop, "described", own.bought)
    keep_all(shop)
    assert len(texts) == 1
    kept = shop._parts.store.shopper_memories(["described"])["described"]
    again = own.service(language_model=False)
    try:
        quote(again, "nobody", own.bought)
        texts = encoded(again, monkeypatch)
        assert quote(again, "described", own.bought).interest == pytest.approx(first.interest, rel=1e-5)
        assert (texts, kept.seq) == ([], 0)
        event = EventRecord("described", EventType.VIEW, datetime.now(UTC), own.never_bought)
        assert again.add_events([event]) is None
        keep_all(again)
        assert again._parts.store.shopper_memories(["described"])["described"].seq > 0
    finally:
        again.close()


def test_filling_in_batches_keeps_the_same_as_one_by_one(shop: Service, own: World) -> None:
    store = shop._parts.store
    shoppers = list(store.shopper_ids())
    keep_all(shop)
    one_by_one = store.shopper_memories(shoppers)
    for shopper in shoppers:
        store.drop_shopper_memory(shopper)
    shop.close()  # it leads
    again, told = own.service(language_model=False), []
    store = again._parts.store
    try:
        assert again.fill_shoppers(lambda stage, share: told.append((stage, share))) == len(shoppers)
        assert told[-1] == ("shoppers", 1.0)
        filled = store.shopper_memories(shoppers)
        assert {one: replace(row, expires_at=None) for one, row in filled.items()} == {
            one: replace(row, expires_at=None) for one, row in one_by_one.items()
        }
        assert again.fill_shoppers(lambda _stage, _share: None) == 0, "all is done"
        assert keep_all(again) == 0
    finally:
        again.close()


def test_nothing_is_kept_of_shoppers_who_opted_out_or_were_erased(shop: Service, own: World) -> None:
    keep_all(shop)
    store = shop._parts.store
    others = [one for one in store.shopper_ids() if one != own.shopper]
    shop.erase_shopper(own.shopper)
    shop.set_shopper(ShopperRecord(others[0], {}, personalisation=False))
    keep_all(shop)
    assert store.shopper_memories([own.shopper, *others]).keys() == set(others[1:])
