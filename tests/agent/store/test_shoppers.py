from agent.domain.records import ShopperRecord
from agent.store import Store


def test_a_shopper_read_equals_the_one_upserted(store: Store) -> None:
    shopper = ShopperRecord("s1", {"age": 30, "income": 50_000.5, "region": "urban", "member": True})
    store.upsert_shoppers([shopper])

    assert store.shopper("s1") == shopper
    assert store.shopper("s2") is None


def test_an_opt_out_replaces_what_was_known(store: Store) -> None:
    store.upsert_shoppers([ShopperRecord("s1", {"age": 30})])
    store.upsert_shoppers([ShopperRecord("s1", {}, personalisation=False)])

    assert store.shopper("s1") == ShopperRecord("s1", {}, personalisation=False)
