"""Pages of lists are together the list: nothing twice, nothing left out, whatever is added meanwhile."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Protocol
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.domain.candidates import Source
from agent.domain.decision import Rung
from agent.domain.records import EventType, OutcomeType, ShopperRecord
from agent.store import Store
from agent.store.lists import (
    EventFilter,
    OutcomeFilter,
    PageOf,
    Position,
    ProductListFilter,
    QuoteFilter,
    ShopperFilter,
)
from models.strategist.strategy import Anchor, Lever, Strategy
from tests.agent.store.builders import AT, decision, event, outcome, product

FEW = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
PRODUCTS, SHOPPERS, CURRENCIES = ("p1", "p2", "p3"), ("s1", "s2", None), ("USD", "EUR")
STRATEGIES = (Strategy(Lever.HOLD, Anchor.REFERENCE, 0), Strategy(Lever.DISCOUNT, Anchor.REFERENCE, -5))

Read = Callable[[Position | None, int], PageOf[Any]]
times = st.integers(0, 5).map(lambda minutes: AT + timedelta(minutes=minutes))  # few, so that many are equal


class Row(Protocol):
    """A row that a filter looks at."""

    at: Any


def paged(read: Read, limits: Sequence[int], between: Callable[[], None] = lambda: None) -> list[Any]:
    """All rows, page by page, with something that happens between the pages."""
    found: list[Any] = []
    start: Position | None = None
    for turn in range(1_000):
        page = read(start, limits[turn % len(limits)])
        assert len(page.rows) <= limits[turn % len(limits)]
        found += page.rows
        if page.last is None:
            return found
        assert len(page.rows) == limits[turn % len(limits)]
        start = page.last
        between()
    raise AssertionError("the list does not end")


def some_decision(row: tuple[Any, ...]) -> Any:
    at, product_id, shopper_id, currency, personalised, source, rung, strategy = row
    return decision(
        id=str(uuid4()),
        at=at,
        product_id=product_id,
        shopper_id=shopper_id,
        currency=currency,
        personalised=personalised,
        source=source,
        rung=rung,
        strategy=strategy,
    )


decision_rows = st.tuples(
    times,
    st.sampled_from(PRODUCTS),
    st.sampled_from(SHOPPERS),
    st.sampled_from(CURRENCIES),
    st.booleans(),
    st.sampled_from(Source),
    st.sampled_from(Rung),
    st.sampled_from(STRATEGIES),
).map(some_decision)


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | st.none() | strategy


quote_filters = st.builds(
    QuoteFilter,
    product_id=maybe(st.sampled_from(PRODUCTS)),
    shopper_id=maybe(st.sampled_from(SHOPPERS[:2])),
    since=maybe(times),
    until=maybe(times),
    personalised=maybe(st.booleans()),
    source=maybe(st.sampled_from(Source)),
    lever=maybe(st.sampled_from([Lever.HOLD, Lever.DISCOUNT])),
    rung=maybe(st.sampled_from(Rung)),
    currency=maybe(st.sampled_from(CURRENCIES)),
)
limits = st.lists(st.integers(1, 7), min_size=1, max_size=3)


def meets(row: Any, wanted: Any) -> bool:
    """Whether a row meets a filter, said another way than the store says it."""
    for name in wanted.__slots__:
        value = getattr(wanted, name)
        if value is None:
            continue
        own = row.strategy.lever if name == "lever" else getattr(row, name, None)
        if not (row.at >= value if name == "since" else row.at < value if name == "until" else own == value):
            return False
    return True


@contextmanager
def emptied(store: Store, *tables: str) -> Iterator[None]:
    """Each example begins without rows; sealed tables refuse deletion, so that their rows are told apart by time."""
    with store._db.write() as connection:
        for table in tables:
            connection.exec_driver_sql(f"DELETE FROM {table}")  # noqa: S608 names from this file
    yield


@FEW
@given(rows=st.lists(decision_rows, max_size=25), later=st.lists(decision_rows, max_size=6), data=st.data())
def test_pages_of_quotes_are_the_list_whatever_is_recorded_meanwhile(
    store: Store, rows: list[Any], later: list[Any], data: st.DataObject
) -> None:
    with emptied(store, "decisions"):
        store.record_decisions(rows)
        wanted, sizes = data.draw(quote_filters), data.draw(limits)
        waiting = list(later)

        def record_one() -> None:
            if waiting:
                store.record_decisions([waiting.pop()])

        found = paged(lambda start, limit: store.quote_page(wanted, start, limit), sizes, record_one)
        ids = [one.id for one in found]
        assert len(set(ids)) == len(ids)
        stood = [one.id for one in rows if meets(one, wanted)]
        assert set(stood) <= set(ids) <= {one.id for one in [*rows, *later] if meets(one, wanted)}
        newest_first = sorted((one for one in found), key=lambda one: (one.at, one.id), reverse=True)
        assert [one.id for one in newest_first] == ids
        whole = {one.id: one for one in [*rows, *later]}
        for one in found:
            full = whole[one.id]
            assert (one.price_minor, one.strategy_name, one.held, one.law) == (
                full.price_minor,
                full.strategy_name,
                full.held,
                full.disclosure.law,
            )


outcome_rows = st.builds(
    lambda at, product_id, shopper_id, kind, quote_id: outcome(
        outcome_id=str(uuid4()), at=at, product_id=product_id, shopper_id=shopper_id, type=kind, quote_id=quote_id
    ),
    times,
    st.sampled_from(PRODUCTS),
    st.sampled_from(SHOPPERS),
    st.sampled_from(OutcomeType),
    st.sampled_from(["q1", "q2", None]),
)
outcome_filters = st.builds(
    OutcomeFilter,
    quote_id=maybe(st.sampled_from(["q1", "q2"])),
    product_id=maybe(st.sampled_from(PRODUCTS)),
    shopper_id=maybe(st.sampled_from(SHOPPERS[:2])),
    type=maybe(st.sampled_from(OutcomeType)),
    since=maybe(times),
    until=maybe(times),
)


@FEW
@given(rows=st.lists(outcome_rows, max_size=25), later=st.lists(outcome_rows, max_size=6), data=st.data())
def test_pages_of_outcomes_are_the_list_whatever_is_recorded_meanwhile(
    store: Store, rows: list[Any], later: list[Any], data: st.DataObject
) -> None:
    with emptied(store, "outcomes"):
        store.record_outcomes(rows)
        wanted, sizes, waiting = data.draw(outcome_filters), data.draw(limits), list(later)

        def record_one() -> None:
            if waiting:
                store.record_outcomes([waiting.pop()])

        found = paged(lambda start, limit: store.outcome_page(wanted, start, limit), sizes, record_one)
        ids = [one.outcome_id for one in found]
        assert len(set(ids)) == len(ids)
        assert {one.outcome_id for one in rows if meets(one, wanted)} <= set(ids)
        assert set(ids) <= {one.outcome_id for one in [*rows, *later] if meets(one, wanted)}
        assert [one.at for one in found] == sorted((one.at for one in found), reverse=True)
        for one in found:
            assert store.outcome(one.outcome_id) == one


event_rows = st.builds(
    lambda at, product_id, shopper_id, kind: event(
        event_id=str(uuid4()), at=at, product_id=product_id, shopper_id=shopper_id, type=kind
    ),
    times,
    st.sampled_from(PRODUCTS),
    st.sampled_from(SHOPPERS[:2]),
    st.sampled_from(EventType),
)
event_filters = st.builds(
    EventFilter,
    shopper_id=maybe(st.sampled_from(SHOPPERS[:2])),
    product_id=maybe(st.sampled_from(PRODUCTS)),
    type=maybe(st.sampled_from(EventType)),
    since=maybe(times),
    until=maybe(times),
)


@FEW
@given(rows=st.lists(event_rows, max_size=25), later=st.lists(event_rows, max_size=6), data=st.data())
def test_pages_of_events_are_the_list_whatever_is_recorded_meanwhile(
    store: Store, rows: list[Any], later: list[Any], data: st.DataObject
) -> None:
    with emptied(store, "events"):
        store.append_events(rows)
        wanted, sizes, waiting = data.draw(event_filters), data.draw(limits), list(later)

        def record_one() -> None:
            if waiting:
                store.append_events([waiting.pop()])

        found = paged(lambda start, limit: store.event_page(wanted, start, limit), sizes, record_one)
        ids = [one.event_id for one in found]
        assert len(set(ids)) == len(ids)
        assert {one.event_id for one in rows if meets(one, wanted)} <= set(ids)
        assert set(ids) <= {one.event_id for one in [*rows, *later] if meets(one, wanted)}
        assert [one.at for one in found] == sorted((one.at for one in found), reverse=True)


product_rows = st.builds(
    lambda id, category, brand, title: product(product_id=id, category=category, brand=brand, title=title),
    st.integers(0, 40).map(lambda number: f"p{number:02}"),
    st.sampled_from(["DAIRY", "BREAD"]),
    st.sampled_from(["Halm", "Åre"]),
    st.sampled_from(["Oat drink", "RYE BREAD", "Straße", "ÉCLAIR"]),
)
product_filters = st.builds(
    ProductListFilter,
    category=maybe(st.sampled_from(["DAIRY", "BREAD"])),
    brand=maybe(st.sampled_from(["Halm", "Åre"])),
    currency=maybe(st.sampled_from(["USD", "EUR"])),
    title=maybe(st.sampled_from(["oat", "bread", "STRASSE", "éclair", "nothing"])),
)


@FEW
@given(rows=st.lists(product_rows, max_size=25), gone=st.sets(st.integers(0, 40)), data=st.data())
def test_pages_of_products_are_those_that_are_sold_by_id(
    store: Store, rows: list[Any], gone: set[int], data: st.DataObject
) -> None:
    with emptied(store, "products"):
        store.upsert_products(rows)
        known = {one.product_id: one for one in rows}
        for number in gone:
            if store.remove_product(f"p{number:02}"):
                del known[f"p{number:02}"]
        wanted, sizes = data.draw(product_filters), data.draw(limits)

        def fits(one: Any) -> bool:
            words = (wanted.category, one.category), (wanted.brand, one.brand), (wanted.currency, one.currency)
            named = wanted.title is None or wanted.title.casefold() in one.title.casefold()
            return named and all(value in (None, own) for value, own in words)

        found = paged(lambda start, limit: store.product_page(wanted, start, limit), sizes)
        assert found == [known[id] for id in sorted(known) if fits(known[id])]


@FEW
@given(
    consents=st.dictionaries(st.integers(0, 30).map("s{:02}".format), st.booleans(), max_size=12),
    behaved=st.lists(st.integers(0, 30).map("s{:02}".format), max_size=12),
    wanted=st.sampled_from([None, True, False]),
    sizes=limits,
)
def test_pages_of_shoppers_have_all_of_whom_anything_is_stored(
    store: Store, consents: dict[str, bool], behaved: list[str], wanted: bool | None, sizes: list[int]
) -> None:
    with emptied(store, "shoppers", "events", "outcomes", "decisions"):
        store.upsert_shoppers([ShopperRecord(id, {"age": 30.0}, consent) for id, consent in consents.items()])
        third = len(behaved) // 3
        store.append_events([event(shopper_id=id, event_id=str(uuid4())) for id in behaved[:third]])
        bought = [outcome(outcome_id=str(uuid4()), shopper_id=id) for id in behaved[third : 2 * third]]
        store.record_outcomes(bought)
        store.record_decisions([decision(id=str(uuid4()), shopper_id=id) for id in behaved[2 * third :]])
        found = paged(lambda start, limit: store.shopper_page(ShopperFilter(wanted), start, limit), sizes)
        known = sorted({*consents, *behaved})
        assert [one.shopper_id for one in found] == [
            id for id in known if wanted is None or consents.get(id, True) is wanted
        ]
        assert all(one.profile == ({"age": 30.0} if one.shopper_id in consents else {}) for one in found)


def test_a_page_of_a_title_reads_on_until_it_is_full(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.store.lists._TITLES", 3)
    titles = ["rye", "oat"] * 10
    store.upsert_products([product(product_id=f"p{n:02}", title=title) for n, title in enumerate(titles)])
    page = store.product_page(ProductListFilter(title="OAT"), None, 4)
    assert [one.product_id for one in page.rows] == ["p01", "p03", "p05", "p07"]
    assert page.last == ("p07",)


def test_a_shopper_of_an_early_release_is_found_in_either_form(store: Store) -> None:
    composed, apart = "Zoë", "Zoe\u0308"
    store.record_decisions([decision(id="q1", shopper_id=apart), decision(id="q2", shopper_id=composed)])
    page = store.quote_page(QuoteFilter(shopper_id=composed), None, 10)
    assert {one.id for one in page.rows} == {"q1", "q2"}
