"""Memory follows the store: it equals what a restart would read, and no sale outranks the catalogue's list price."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from time import perf_counter
from typing import Final

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from agent.domain.records import EventRecord, EventType, ProductRecord
from agent.service.feedback import week_of_sale
from agent.state import store_follower
from agent.state.cached_encoder import CachedEncoder
from agent.state.catalogue import Catalogue
from agent.state.shopper_histories import ShopperHistories
from agent.state.store_follower import Followed, StoreFollower
from agent.store import Store, StoreUnavailable
from models.encoder.encoder import DIM
from models.shopper.product_weeks import WeekFacts
from models.shopper.weeks import week_of
from retrieval import ProductIndex

NOW: Final = datetime(2026, 3, 4, 12, tzinfo=UTC)
SOAP: Final = ProductRecord("soap", "Soap", "EUR", 10_000, 5_000, category="care")
_EXAMPLES: Final = count()
_MOMENTS: Final = [NOW + timedelta(days=days) for days in (-400, -30, -8, -1, 0, 1, 8, 100)]


class ByLength:
    """A text's state is the unit vector of its length; counts what it encodes."""

    version = "by-length"
    dim = DIM

    def __init__(self) -> None:
        self.encoded = 0

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.encoded += len(texts)
        return np.eye(DIM, dtype=np.float32)[[len(text) for text in texts]]

    encode_each = encode


@dataclass
class Process:
    """The memory of one process over a store that others write too."""

    store: Store
    encoder: ByLength
    catalogue: Catalogue
    shoppers: ShopperHistories
    follower: StoreFollower

    @classmethod
    def start(cls, store: Store) -> "Process":
        marks, encoder = store.marks(), ByLength()
        catalogue = Catalogue(store, CachedEncoder(encoder), ProductIndex(DIM, "by-length"))
        catalogue.index_missing()
        shoppers = ShopperHistories(store, catalogue.labels)
        return cls(store, encoder, catalogue, shoppers, StoreFollower(store, catalogue, shoppers, marks))

    def reference(self, product_id: str, at: datetime) -> float:
        product = self.catalogue.product(product_id)
        assert product is not None
        return self.catalogue.reference_minor(product, at.timestamp())

    def known(self) -> dict[str, object]:
        """What a quote reads of each product, by id."""
        return {product_id: self._known(product_id) for product_id in self.catalogue.ids()}

    def _known(self, product_id: str) -> object:
        if self.catalogue.product(product_id) is None:
            assert product_id not in self.catalogue.index.ids()
            labels = [self.catalogue.labels(product_id, at.timestamp()) for at in _MOMENTS]
            return self.catalogue.title(product_id), str(labels), _Facts(self.facts(product_id))
        state, references = self.catalogue.state(product_id), [self.reference(product_id, at) for at in _MOMENTS]
        assert state is not None
        return self.catalogue.product(product_id), str(references), state.tolist(), _Facts(self.facts(product_id))

    def facts(self, product_id: str) -> list[float]:
        weeks = self.catalogue.weeks
        facts = [weeks.facts(week_of(at.timestamp())) for at in _MOMENTS]
        return [float(getattr(one, name)[weeks.rows[product_id]]) for one in facts for name in WeekFacts.__slots__]


@dataclass(frozen=True, eq=False)
class _Facts:
    """Weekly facts of a product; sums over all products depend on their order in the last digits."""

    values: Sequence[float]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Facts) and np.allclose(self.values, other.values, rtol=1e-12, atol=0, equal_nan=True)


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """An empty store of each kind."""
    with Store.open(store_url) as opened:
        yield opened


def sale(product_id: str, at: datetime, price: int | None, currency: str = "EUR", shopper: str = "s1") -> EventRecord:
    return EventRecord(
        shopper, EventType.PURCHASE, at, product_id, 1, price, price, currency if price is not None else None
    )


def sell(store: Store, *sales: EventRecord) -> None:
    store.append_events(sales, week_of_sale)


@st.composite
def _puts(draw: st.DrawFn) -> tuple[str, object]:
    fields = {
        "currency": draw(st.sampled_from(["EUR", "EUR", "JPY"])),
        "list_minor": draw(st.sampled_from([8_000, 10_000, 16_000, None])),
        "category": draw(st.sampled_from(["care", "tea"])),
        "title": draw(st.sampled_from(["Soap", "Soap with lavender"])),
    }
    return "put", (draw(st.integers(0, 2)), fields)


_SALES: Final = st.tuples(
    st.just("sell"),
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(_MOMENTS[:5]),
        st.sampled_from([None, 700, 10_000, 16_000]),
        st.sampled_from(["EUR", "JPY", "USD"]),
        st.sampled_from(["s1", "s2"]),
    ),
)
_STEPS: Final = st.lists(
    st.one_of(_puts(), _SALES, st.tuples(st.just("remove"), st.integers(0, 2)), st.just(("follow", None))), max_size=14
)


@given(_STEPS)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_memory_after_any_sequence_equals_memory_read_anew(store: Store, steps: list[tuple[str, object]]) -> None:
    """Puts and sales by any process, in any order: sales before their product, other currencies, late weeks."""
    example = next(_EXAMPLES)
    running = Process.start(store)
    listed: dict[str, list[tuple[datetime, ProductRecord]]] = {}
    for number, (kind, what) in enumerate(steps):
        if kind == "put" and isinstance(what, tuple):
            product = replace(SOAP, product_id=f"p{example}-{what[0]}", **what[1])
            at = NOW - timedelta(days=20 - number)
            store.upsert_products([product], at)
            listed.setdefault(product.product_id, []).append((at, product))
        elif kind == "sell" and isinstance(what, tuple):
            row, moment, price, currency, shopper = what
            sell(store, sale(f"p{example}-{row}", moment + timedelta(seconds=number), price, currency, shopper))
            running.shoppers.folded(shopper)  # cached, perhaps without the sale
        elif kind == "remove":
            store.remove_product(f"p{example}-{what}")
        else:
            running.follower.follow()
    running.follower.follow()
    anew = Process.start(store)
    assert running.known() == anew.known()
    for shopper in ("s1", "s2"):
        assert running.shoppers.folded(shopper).history == anew.shoppers.folded(shopper).history
    for product_id, puts in listed.items():
        if running.catalogue.product(product_id) is not None:
            _check_references(running, product_id, puts)


def _check_references(running: Process, product_id: str, puts: list[tuple[datetime, ProductRecord]]) -> None:
    """The list price in force at a moment, wherever the catalogue had one in the present currency."""
    present = puts[-1][1]
    for at in _MOMENTS:
        before = [product for start, product in puts if start <= at]
        if before and before[-1].currency == present.currency and before[-1].list_minor is not None:
            assert running.reference(product_id, at) == before[-1].list_minor
        elif before and before[-1] is present:
            assert present.list_minor is None


def test_a_sale_does_not_hold_the_reference_after_the_list_price_falls(store: Store) -> None:
    store.upsert_products([SOAP], NOW)
    running = Process.start(store)
    sell(store, sale("soap", NOW, 10_000))
    store.upsert_products([replace(SOAP, list_minor=8_000)], NOW + timedelta(minutes=1))
    running.follower.follow()
    for weeks in range(20):
        assert running.reference("soap", NOW + timedelta(minutes=1, weeks=weeks)) == 8_000
    assert running.reference("soap", NOW) == 10_000, "the price in force then"


def test_sales_in_another_currency_set_no_price(store: Store) -> None:
    store.upsert_products([SOAP], NOW)
    running = Process.start(store)
    sell(store, *(sale("soap", NOW - timedelta(days=4 * n), 16_000, "JPY") for n in range(20)))
    running.follower.follow()
    for at in _MOMENTS:
        assert running.reference("soap", at) == 10_000
    assert running.catalogue.weekly_units("soap", NOW.timestamp())


def test_a_product_put_again_in_another_currency_keeps_nothing_of_its_old_prices(store: Store) -> None:
    store.upsert_products([SOAP], NOW - timedelta(days=90))
    running = Process.start(store)
    sell(store, *(sale("soap", NOW - timedelta(days=4 * n), 9_000) for n in range(20)))
    store.upsert_products([replace(SOAP, currency="JPY", list_minor=1_500)], NOW)
    running.follower.follow()
    for at in _MOMENTS:
        assert running.reference("soap", at) == 1_500
    facts, row = running.catalogue.weeks.facts(week_of(NOW.timestamp())), running.catalogue.weeks.rows["soap"]
    assert (facts.deal_frequency[row], facts.price_level[row]) == (0, 0)


def test_before_the_catalogue_knew_a_product_its_sales_tell_the_price(store: Store) -> None:
    store.upsert_products([SOAP], NOW)
    running = Process.start(store)
    sell(store, *(sale("soap", NOW - timedelta(days=90 + 4 * n), 9_000) for n in range(20)))
    running.follower.follow()
    assert running.reference("soap", NOW - timedelta(days=80)) == 9_000
    assert running.reference("soap", NOW - timedelta(days=400)) == 10_000, "nothing is known, the list price stands in"
    assert running.reference("soap", NOW) == 10_000


def test_sales_that_come_before_their_product_count_once_it_is_known(store: Store) -> None:
    running = Process.start(store)
    sell(store, sale("soap", NOW - timedelta(days=8), 9_000))
    running.follower.follow()
    store.upsert_products([SOAP], NOW)
    running.follower.follow()
    assert running.catalogue.weekly_units("soap", NOW.timestamp())


def test_a_product_is_encoded_again_only_when_its_text_changes(store: Store) -> None:
    store.upsert_products([SOAP], NOW)
    running = Process.start(store)
    assert running.encoder.encoded == 1
    store.upsert_products([replace(SOAP, list_minor=20_000, cost_minor=15_000, map_minor=18_000)], NOW)
    assert running.follower.follow() == Followed(products=1)
    assert running.encoder.encoded == 1
    assert running.catalogue.product("soap") == store.products(["soap"])["soap"]
    assert running.catalogue.index.similar(np.eye(DIM, dtype=np.float32)[:1], 1)[0][0].entry.price_minor == 20_000
    store.upsert_products([replace(SOAP, title="Soap with lavender")], NOW)
    running.follower.follow()
    assert running.encoder.encoded == 2


def test_a_failing_store_leaves_nothing_half_followed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    running = Process.start(store)
    store.upsert_products([SOAP], NOW)
    sell(store, sale("soap", NOW - timedelta(days=8), 9_000))
    with monkeypatch.context() as patch:

        def failing(_moments: object) -> list[object]:
            raise StoreUnavailable("the store does not answer")

        patch.setattr(store, "weeks_at", failing)
        with pytest.raises(StoreUnavailable):
            running.follower.follow()
    assert running.follower.follow().events == 1
    assert running.known() == Process.start(store).known()
    assert not running.follower.follow().anything


def test_many_new_events_are_followed_as_few_are(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.upsert_products([SOAP], NOW)
    running = Process.start(store)
    monkeypatch.setattr(store_follower, "MOST_EVENTS", 5)
    sell(store, *(sale("soap", NOW - timedelta(days=n), 9_000, shopper=f"s{n}") for n in range(30)))
    assert running.follower.follow().events == 5
    assert running.known() == Process.start(store).known()
    assert not running.follower.follow().anything


def test_an_erasure_elsewhere_reaches_cached_histories(store: Store) -> None:
    sell(store, sale("soap", NOW, 9_000))
    running = Process.start(store)
    before = running.shoppers.folded("s1").history
    assert before is not None
    assert before.known
    store.erase_shopper("s1")
    assert running.follower.follow().erasures == 1
    after = running.shoppers.folded("s1").history
    assert after is not None
    assert not after.known


def test_rows_removed_elsewhere_are_gone_from_weekly_facts(store: Store) -> None:
    store.upsert_products([SOAP], NOW)
    sell(store, *(sale("soap", NOW - timedelta(days=10 * n), 9_000) for n in range(5)))
    running = Process.start(store)
    store.remove_rows([number for number, _ in store.events_since(0)][:3], [])
    assert running.follower.follow().erasures == 1
    assert running.known() == Process.start(store).known()


def test_products_follow_in_a_moment_in_a_shop_with_strange_dates(store: Store) -> None:
    store.upsert_products([replace(SOAP, product_id=f"p{number}") for number in range(2_500)], NOW)
    sell(
        store, sale("p1", datetime(1970, 1, 1, tzinfo=UTC), 9_000), sale("p2", datetime(2099, 12, 31, tzinfo=UTC), 900)
    )
    running = Process.start(store)
    store.upsert_products([replace(SOAP, product_id=f"new{number}") for number in range(500)], NOW)
    began = perf_counter()
    running.follower.follow()
    assert running.reference("new1", NOW) == 10_000
    assert perf_counter() - began < 1.0


def test_a_product_removed_elsewhere_is_found_no_more_but_its_sales_are_still_understood(store: Store) -> None:
    store.upsert_products([SOAP, replace(SOAP, product_id="tea", category="tea")], NOW)
    sell(store, sale("soap", NOW, 9_000))
    running = Process.start(store)
    store.remove_product("soap")
    assert running.follower.follow() == Followed(products=1)
    assert running.catalogue.product("soap") is None
    assert [hit.entry.id for hit in running.catalogue.index.similar(np.eye(DIM, dtype=np.float32)[:1], 5)[0]] == ["tea"]
    assert running.catalogue.labels("soap", None).category == "care"
    assert (running.catalogue.title("soap"), running.catalogue.categories()) == ("Soap", {"tea"})
    assert running.known() == Process.start(store).known()
    store.upsert_products([SOAP], NOW)
    running.follower.follow()
    assert running.catalogue.product("soap") == SOAP
    assert running.known() == Process.start(store).known()


def test_an_index_made_before_a_removal_loses_the_product_when_it_is_opened(store: Store) -> None:
    store.upsert_products([SOAP, replace(SOAP, product_id="tea")], NOW)
    running = Process.start(store)
    store.remove_product("soap")
    later = Catalogue(store, CachedEncoder(ByLength()), running.catalogue.index)
    later.index_missing()
    assert later.index.ids() == {"tea"}
