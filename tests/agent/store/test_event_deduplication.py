"""Each sale is stored once, against a small model of what a sale is."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.domain.records import EventRecord, EventType, OutcomeRecord, OutcomeType
from agent.service.outcome_reports import purchase_of
from agent.store import Store
from agent.store.event_deduplication import content_id, identified
from tests.agent.store.builders import AT, event, outcome

Line = tuple[int, int | None]
"""Quantity and price of a line of an order."""

_SHOPPERS = count()


@dataclass(frozen=True, slots=True)
class Reports:
    """Reports of the sales of one shopper, product and moment: requests of lines, offers' outcomes, tills' lines."""

    requests: tuple[tuple[Line, ...], ...]
    offers: tuple[tuple[int, int], ...]
    tills: tuple[tuple[int, int], ...]

    def sales(self) -> Counter[Line]:
        """The sales that they report."""
        lines = [Counter(request) for request in self.requests]
        told = [*lines, Counter[Line](self.offers), Counter[Line](self.tills)]
        priced = {line for some in told for line in some if line[1] is not None}
        found = Counter[Line]({line: max(some[line] for some in told) for line in priced})
        for quantity in {line[0] for some in lines for line in some}:
            most = max(sum(n for line, n in some.items() if line[0] == quantity) for some in lines)
            missing = most - sum(n for line, n in found.items() if line[0] == quantity)
            if missing > 0:
                found[quantity, None] = missing
        return found


class Shop:
    """A shopper in a store, about whom reports arrive."""

    def __init__(self, store: Store, reports: Reports) -> None:
        self._store = store
        self._reports = reports
        self._shopper = f"s{next(_SHOPPERS)}"

    def arrives(self, kind: str, number: int) -> None:
        """One report arrives, perhaps again."""
        if kind == "request":
            self._store.append_events(identified([self._line(*line) for line in self._reports.requests[number]]))
        elif kind == "till":
            sold = self._line(*self._reports.tills[number])
            self._store.append_events([replace(sold, event_id=f"{self._shopper}-till-{number}")])
        else:
            quantity, price = self._reports.offers[number]
            done = outcome(
                outcome_id=f"{self._shopper}-{number}",
                shopper_id=self._shopper,
                quote_id=None,
                quantity=quantity,
                price_minor=price,
            )
            self._store.record_outcomes([done], purchase_of)

    def quantities(self) -> Counter[int]:
        return Counter(sale.quantity for sale in self._store.shopper_events(self._shopper))

    def sales(self) -> Counter[Line]:
        return Counter((sale.quantity, sale.price_minor) for sale in self._store.shopper_events(self._shopper))

    def _line(self, quantity: int, price: int | None) -> EventRecord:
        currency = None if price is None else "USD"
        return event(shopper_id=self._shopper, quantity=quantity, price_minor=price, currency=currency)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sales")


_priced = st.tuples(st.sampled_from([1, 5]), st.sampled_from([9_000, 10_000]))
_blank = st.tuples(st.sampled_from([1, 5]), st.sampled_from([None, 9_000, 10_000]))


def _reports(line: st.SearchStrategy[Line], tills: int) -> st.SearchStrategy[Reports]:
    def some(of: st.SearchStrategy[Line], most: int) -> st.SearchStrategy[tuple[Line, ...]]:
        return st.lists(of, max_size=most).map(tuple)

    requests = st.lists(some(line, 4), max_size=3).map(tuple)
    return st.builds(Reports, requests, some(_priced, 3), some(_priced, tills))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(reports=_reports(_priced, 3) | _reports(_blank, 0), data=st.data())
def test_sales_are_the_same_whatever_the_order_and_however_often_they_are_reported(
    kept: Path, reports: Reports, data: st.DataObject
) -> None:
    arrivals = [("request", n) for n in range(len(reports.requests))]
    arrivals += [("offer", n) for n in range(len(reports.offers))]
    arrivals += [("till", n) for n in range(len(reports.tills))]
    again = data.draw(st.lists(st.sampled_from(arrivals), max_size=4)) if arrivals else []
    order = data.draw(st.permutations([*arrivals, *again]))
    with Store.open(f"sqlite:///{kept}/store.db") as store:
        shop = Shop(store, reports)
        for arrival in order:
            shop.arrives(*arrival)
        quantities, sales = shop.quantities(), shop.sales()
    expected = reports.sales()
    assert quantities == Counter(quantity for quantity, _ in expected.elements())
    if not any(price is None for request in reports.requests for _, price in request):
        assert sales == expected


def _sale(**changes: object) -> EventRecord:
    return event(**{"quantity": 1, "price_minor": 10_000, **changes})


def _kept(store: Store) -> list[tuple[int, int | None]]:
    return [(sale.quantity, sale.price_minor) for _, sale in store.events_since(0)]


def test_two_lines_of_one_order_are_two_sales_and_sent_again_none(store: Store) -> None:
    order = identified([_sale(), _sale(quantity=5, price_minor=9_000), _sale()])
    assert store.append_events(order) == order
    assert store.append_events(order) == []
    assert store.append_events(order[1:]) == []
    assert _kept(store) == [(1, 10_000), (5, 9_000), (1, 10_000)]


@pytest.mark.parametrize("outcome_first", [True, False])
def test_an_outcomes_sale_is_one_line_of_an_order_of_two(store: Store, outcome_first: bool) -> None:
    order = identified([_sale(), _sale(quantity=5, price_minor=9_000)])
    bought = outcome(quantity=5, price_minor=9_000)
    for step in sorted((True, False), reverse=outcome_first):
        if step:
            store.record_outcomes([bought], purchase_of)
        else:
            store.append_events(order)
    assert sorted(_kept(store)) == [(1, 10_000), (5, 9_000)]


def test_two_outcomes_alike_are_two_sales_in_one_batch_or_in_two(store: Store) -> None:
    first, second = (outcome(outcome_id=f"o{n}", quote_id=f"q{n}") for n in (1, 2))
    assert len(store.record_outcomes([first, second], purchase_of)) == 2
    assert len(store.record_outcomes([replace(first, outcome_id="o3", quote_id="q3")], purchase_of)) == 1
    assert store.append_events(identified([_bought(first), _bought(first), _bought(first)])) == []


def _bought(of: OutcomeRecord) -> EventRecord:
    return event(quantity=of.quantity, price_minor=of.price_minor)


def test_sales_of_earlier_releases_are_known_by_their_columns(store: Store) -> None:
    old = _sale(event_id=content_id(_sale()).rsplit(":", 2)[0])
    store.append_events([old])
    assert store.append_events(identified([_sale()])) == []
    assert store.record_outcomes([outcome(price_minor=10_000)], purchase_of) == []
    assert len(store.append_events(identified([_sale(quantity=5)]))) == 1


def test_an_id_that_looks_like_ours_is_an_id_of_its_own(store: Store) -> None:
    assert len(store.append_events([_sale(event_id="sale:seven"), _sale(event_id="sale:8:x")])) == 2


def test_requests_that_repeat_views_add_none_and_identical_views_of_one_request_count(store: Store) -> None:
    views: Sequence[EventRecord] = identified([event(type=EventType.VIEW, price_minor=None)] * 2)
    assert store.append_events(views) == views
    assert store.append_events(views) == []
    assert len(store.append_events(identified([event(type=EventType.VIEW, at=AT + timedelta(seconds=1))]))) == 1


def test_declined_offers_are_no_sales(store: Store) -> None:
    declined = outcome(type=OutcomeType.DECLINED)
    store.record_outcomes([declined, outcome(outcome_id="o2", quote_id="q2")], lambda o: _of_purchase(o))
    assert len(_kept(store)) == 1


def _of_purchase(of: OutcomeRecord) -> EventRecord | None:
    return purchase_of(of) if of.type is OutcomeType.PURCHASED else None
