"""Merchants on one PostgreSQL database, each in a schema of its own."""

from agent.store import Store
from agent.store.engine import create_schema, drop_schema, in_schema
from tests.agent.store.builders import decision, product


def test_schemas_of_one_database_hold_the_same_ids_apart(postgres_url: str) -> None:
    for name in ("merchant_a", "merchant_b"):
        create_schema(postgres_url, name)
        create_schema(postgres_url, name)
    with (
        Store.open(postgres_url) as home,
        Store.open(in_schema(postgres_url, "merchant_a")) as a,
        Store.open(in_schema(postgres_url, "merchant_b")) as b,
    ):
        a.upsert_products([product(title="of a")])
        a.record_decisions([decision()])
        b.upsert_products([product(title="of b")])
        assert [store.products(["p1"])["p1"].title for store in (a, b)] == ["of a", "of b"]
        assert [store.decision("decision-1") is not None for store in (home, a, b)] == [False, True, False]
        assert [store.audit_count() for store in (home, a, b)] == [0, 1, 0]
        assert home.products(["p1"]) == {}
        b.record_decisions([decision(price_minor=1)])
        assert [store.audit_count() for store in (a, b)] == [1, 1]
    drop_schema(postgres_url, "merchant_a")
    create_schema(postgres_url, "merchant_a")
    with Store.open(in_schema(postgres_url, "merchant_a")) as a, Store.open(in_schema(postgres_url, "merchant_b")) as b:
        assert (a.decision("decision-1"), b.decision("decision-1") is not None) == (None, True)
