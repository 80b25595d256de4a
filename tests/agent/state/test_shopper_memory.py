"""Histories read back from the store equal freshly folded ones, whatever happened in between and whoever kept them."""

from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Final

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.domain.clock import StoreClock
from agent.domain.records import EventRecord, EventType, ShopperRecord
from agent.state.loading import open_histories
from agent.state.shopper_memory import Basis, EncodedText, FoldedHistory, digest_of, products_of, to_row
from agent.state.store_follower import StoreFollower
from agent.store import Store
from agent.store.changes import Marks
from models.encoder.encoder import DIM
from tests.agent.state.test_store_follower import NOW, SOAP, Process, sell, store

__all__ = ["store"]

LATER_S: Final = NOW.timestamp() + 1e9
_EXAMPLES: Final = count()
_DAYS: Final = (-400, -90, -30, -8, -1, 0, 1)
_STATE: Final = np.ones(DIM, np.float32)


def start(store: Store) -> Process:
    """A process that reads what is kept of shoppers."""
    found = Process.start(store)
    found.shoppers = open_histories(store, found.catalogue)
    found.follower = StoreFollower(store, found.catalogue, found.shoppers, found.follower.marks)
    return found


def keep(process: Process, shopper_id: str, marks: Marks | None = None) -> bool:
    """Keep what a process knows of a shopper, as of `marks`."""
    marks = marks or process.follower.marks
    folded = process.shoppers.folded(shopper_id)
    if folded.seq == 0:
        return False
    labels = process.catalogue.checksum(products_of(folded.history))
    text = EncodedText("e1", digest_of("a text"), _STATE, folded.seq, None)
    row = to_row(shopper_id, folded, text, Basis(marks.late_sales, labels))
    return process.store.keep_shopper_memories([row], marks.erasures)


def bought(product: str, days: float, price: int | None, listed: int | None = None, shopper: str = "s1") -> EventRecord:
    currency = None if price is None else "EUR"
    at = NOW + timedelta(days=days)
    return EventRecord(shopper, EventType.PURCHASE, at, product, 1, price, listed, currency)


_STEPS: Final = st.lists(
    st.one_of(
        st.tuples(
            st.just("sell"),
            st.integers(0, 1),
            st.sampled_from(_DAYS),
            st.sampled_from([None, 700, 9_000, 10_000]),
            st.sampled_from([None, 8_000, 10_000]),
        ),
        st.tuples(st.just("view"), st.integers(0, 1), st.sampled_from(_DAYS)),
        st.tuples(
            st.just("put"),
            st.integers(0, 1),
            st.sampled_from([8_000, 10_000, None]),
            st.sampled_from(["care", "tea"]),
        ),
        st.tuples(st.just("remove"), st.integers(0, 1)),
        st.tuples(st.sampled_from(["keep", "follow", "restart", "erase"])),
        st.tuples(st.just("purge"), st.sampled_from(_DAYS)),
    ),
    max_size=16,
)


@given(_STEPS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_kept_histories_equal_freshly_folded_ones(store: Store, steps: list[tuple[object, ...]]) -> None:
    """Two processes keep and read in turn; one of them may be behind."""
    example = next(_EXAMPLES)
    shopper = f"s{example}"
    running, beside = start(store), start(store)
    for number, (kind, *what) in enumerate(steps):
        product = f"p{example}-{what[0]}" if what else ""
        minutes = number / 1440
        if kind == "sell":
            _, days, price, listed = what
            sell(store, bought(product, days + minutes, price, listed if price else None, shopper))  # type: ignore[operator, arg-type]
        elif kind == "view":
            seen = replace(bought(product, what[1] + minutes, None, None, shopper), type=EventType.VIEW)  # type: ignore[operator]
            store.append_events([seen])
        elif kind == "put":
            put = replace(SOAP, product_id=product, list_minor=what[1], category=what[2])  # type: ignore[arg-type]
            store.upsert_products([put], NOW - timedelta(days=40 - number))
        elif kind == "remove":
            store.remove_product(product)
        elif kind == "keep":
            keep(running, shopper)
        elif kind == "erase":
            store.erase_shopper(shopper)
        elif kind == "purge":
            store.erase_before(NOW + timedelta(days=what[0]), StoreClock())  # type: ignore[arg-type]
        elif kind == "restart":
            running = start(store)
        else:
            running.follower.follow()
        running, beside = beside, running
    for process in (running, beside):
        process.follower.follow()
    anew, folded = start(store), Process.start(store)
    expected = folded.shoppers.folded(shopper).history
    assert anew.shoppers.folded(shopper).history == expected
    assert running.shoppers.folded(shopper).history == expected
    assert beside.shoppers.folded(shopper).history == expected
    anew.shoppers.forget_all()
    anew.shoppers.read_together([shopper, "another"])
    assert anew.shoppers.folded(shopper).history == expected


def test_a_kept_history_saves_reading_its_events(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.upsert_products([SOAP], NOW)
    sell(store, *(bought("soap", -n, 900, 1_000) for n in range(50)))
    assert keep(start(store), "s1")
    sell(store, bought("soap", 1, 900, 1_000))
    later, read = start(store), []
    pasts = store.shopper_pasts
    with monkeypatch.context() as patched:
        patched.setattr(store, "shopper_events_since", None)
        patched.setattr(store, "shopper_pasts", lambda *a, **k: read.append(found := pasts(*a, **k)) or found)  # type: ignore[func-returns-value]
        folded = later.shoppers.folded("s1")
    assert [len(one["s1"].events) for one in read] == [1]
    assert folded.history == Process.start(store).shoppers.folded("s1").history
    assert folded.kept is not None and (folded.kept.digest, folded.kept.version) == (digest_of("a text"), "e1")
    assert (folded.kept.state == _STATE).all()


def test_what_was_worked_out_before_an_erasure_is_not_kept_after_it(store: Store) -> None:
    sell(store, bought("soap", -1, 900), bought("soap", -1, 900, shopper="s2"))
    late = start(store)
    late.shoppers.folded("s1")
    assert keep(late, "s2")
    store.erase_shopper("s1")
    assert not keep(late, "s1")
    assert store.shopper_memories(["s1", "s2"]).keys() == {"s2"}
    late.follower.follow()
    assert keep(late, "s2")


def test_an_erasure_deletes_what_is_kept(store: Store) -> None:
    sell(store, bought("soap", -40, 900), bought("soap", -1, 900), bought("soap", -1, 900, shopper="s2"))
    process = start(store)
    assert keep(process, "s1") and keep(process, "s2")
    store.erase_before(NOW - timedelta(days=30), StoreClock())
    assert store.shopper_memories(["s1", "s2"]).keys() == {"s2"}, "that of s1 rests on an erased event"
    store.erase_shopper("s2")
    assert store.shopper_memories(["s1", "s2"]) == {}


def test_nothing_is_kept_of_shoppers_who_opted_out(store: Store) -> None:
    sell(store, bought("soap", -1, 900))
    process = start(store)
    assert keep(process, "s1")
    store.upsert_shoppers([ShopperRecord("s1", {}, personalisation=False)])
    assert store.shopper_memories(["s1"]) == {}
    keep(process, "s1")
    assert store.shopper_memories(["s1"]) == {}


def test_new_words_of_a_product_outdate_what_is_kept(store: Store) -> None:
    store.upsert_products([SOAP], NOW)
    sell(store, bought("soap", -1, 900, 1_000))
    assert keep(start(store), "s1")
    store.upsert_products([replace(SOAP, category="tea")], NOW)
    folded = start(store).shoppers.folded("s1")
    assert folded.kept is None
    assert list(folded.history.categories) == ["tea"]


def test_a_late_sale_outdates_ratios_over_references_alone(store: Store) -> None:
    store.upsert_products([SOAP], NOW)
    sell(store, bought("soap", -10, 900, shopper="s1"), bought("soap", -10, 900, 1_000, shopper="s2"))
    process = start(store)
    assert keep(process, "s1") and keep(process, "s2")
    sell(store, bought("soap", -1, 900, 1_000, shopper="s3"))
    assert store.shopper_memories(["s1", "s2"]).keys() == {"s1", "s2"}, "a sale of the newest week changes no reference"
    sell(store, bought("soap", -30, 900, 1_000, shopper="s3"))
    assert store.shopper_memories(["s1", "s2"]).keys() == {"s2"}


def test_stale_shoppers_are_those_without_memory_or_behind(store: Store) -> None:
    sell(store, *(bought("soap", -1, 900, 1_000, shopper=f"s{n}") for n in range(5)))
    process = start(store)
    for shopper in ("s0", "s1", "s2", "s3"):
        assert keep(process, shopper)
    sell(store, bought("soap", 0, 900, 1_000, shopper="s1"))
    pages = [store.stale_shoppers("", "e1", 3), store.stale_shoppers("s2", "e1", 3)]
    assert [page.stale for page in pages] == [("s1",), ("s4",)]
    assert [page.last for page in pages] == ["s2", None]
    assert store.stale_shoppers("", "e2", 9).stale == ("s0", "s1", "s2", "s3", "s4"), "another encoder"


def test_shoppers_with_a_profile_alone_are_stale_until_it_is_kept(store: Store) -> None:
    sell(store, bought("soap", -1, 900, 1_000, shopper="s1"))
    store.upsert_shoppers(
        [
            ShopperRecord("s0", {"age": 30}),
            ShopperRecord("s2", {}),
            ShopperRecord("s3", {"age": 9}, personalisation=False),
        ]
    )
    assert store.stale_shoppers("", "e1", 1).stale == ("s0",)
    assert store.stale_shoppers("", "e1").stale == ("s0", "s1"), "nothing is known of s2, and s3 opted out"
    process = start(store)
    text = EncodedText("e1", digest_of("profile: age 30"), _STATE, 0, None)
    row = to_row("s0", FoldedHistory(), text, Basis(0, 0))
    assert store.keep_shopper_memories([row], process.follower.marks.erasures)
    assert store.stale_shoppers("", "e1").stale == ("s1",)
    kept = process.shoppers.folded("s0")
    assert kept.kept is not None and kept.kept.digest == text.digest
    assert replace(kept, kept=None) == FoldedHistory()
    sell(store, bought("soap", 0, 900, 1_000, shopper="s0"))
    assert start(store).shoppers.folded("s0").history == Process.start(store).shoppers.folded("s0").history
