from datetime import timedelta
from threading import Barrier, Thread

import pytest

from agent.domain.records import ProductRecord, ProductWeek
from agent.store import Store
from tests.agent.store.builders import AT, event, product

_BARE = ProductRecord("p2", "Bread", "SEK")
_WEEK = AT.replace(hour=0)


def test_products_read_equal_those_upserted(store: Store) -> None:
    store.upsert_products([product(), _BARE])

    assert store.products(["p1", "p2", "p3"]) == {"p1": product(), "p2": _BARE}


def test_an_upsert_replaces_every_field(store: Store) -> None:
    store.upsert_products([product(product_id="p2")])
    store.upsert_products([_BARE])

    assert store.products(["p2"]) == {"p2": _BARE}
    assert store.product_count() == 1


def test_of_two_records_with_one_id_the_later_stands(store: Store) -> None:
    store.upsert_products([product(title="first"), product(title="second")])

    assert store.products(["p1"])["p1"].title == "second"


def test_many_products_are_found_in_one_call(store: Store) -> None:
    records = [product(product_id=str(number)) for number in range(2_500)]
    store.upsert_products(records)

    assert store.products([record.product_id for record in records]) == {one.product_id: one for one in records}


@pytest.mark.parametrize("count", [0, 1, 4, 5])
def test_iteration_meets_every_product_once(store: Store, count: int) -> None:
    records = [product(product_id=f"p{number}") for number in range(count)]
    store.upsert_products(records)

    assert list(store.iter_products(batch=2)) == records
    assert store.product_count() == count


def test_batches_upserted_in_opposite_orders_do_not_block_each_other(store: Store) -> None:
    records = [product(product_id=f"p{number}") for number in range(300)]
    start = Barrier(2)
    failures: list[Exception] = []

    def write(order: int) -> None:
        start.wait()
        try:
            for _ in range(5):
                store.upsert_products(records[::order])
        except Exception as error:
            failures.append(error)

    threads = [Thread(target=write, args=(order,)) for order in (1, -1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert store.product_count() == 300


def test_weeks_read_equal_those_put_by_product_then_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.store.product_weeks._WEEK_BATCH", 3)
    weeks = [ProductWeek(p, _WEEK + timedelta(weeks=n), n, 299, None) for p in ("a", "b") for n in range(5)]
    store.put_product_weeks(weeks[::-1])

    assert list(store.product_weeks()) == weeks


def test_a_week_put_again_is_replaced(store: Store) -> None:
    store.put_product_weeks([ProductWeek("a", _WEEK, 5, 299, 279)])
    store.put_product_weeks([ProductWeek("a", _WEEK, 2, None, 259)])

    assert list(store.product_weeks()) == [ProductWeek("a", _WEEK, 2, None, 259)]


def test_purchases_add_up_and_known_prices_stay(store: Store) -> None:
    store.append_events([event()], lambda _event: ProductWeek("a", _WEEK, 5, 299, None))
    store.append_events([event()], lambda _event: ProductWeek("a", _WEEK, 2, None, 259))
    store.append_events([event()], lambda _event: ProductWeek("a", _WEEK, 1, 309, None))

    assert list(store.product_weeks()) == [ProductWeek("a", _WEEK, 8, 309, 259)]


def test_a_removed_product_is_read_no_more_and_comes_back_when_it_is_put(store: Store) -> None:
    store.upsert_products([product(), product(product_id="p2")])
    before = store.marks().revision
    assert (store.remove_product("p1"), store.remove_product("p1"), store.remove_product("p9")) == (True, False, None)
    assert store.marks().revision == before + 1
    assert [one.product_id for one in store.iter_products()] == ["p2"]
    assert (store.products(["p1"]), store.product_count()) == ({}, 1)
    assert list(store.products_since(before)) == []
    assert list(store.removed_since(before)) == list(store.removed_products()) == [product()]

    store.upsert_products([product(title="again")])
    assert store.products(["p1"])["p1"].title == "again"
    assert [one.product_id for one in store.products_since(before + 1)] == ["p1"]
    assert list(store.removed_products()) == []
