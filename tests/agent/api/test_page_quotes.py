"""A page of prices: rows in the order of the page, each once, as JSON or one a line."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar import Litestar
from litestar.testing import TestClient

from agent.api.app import create_app
from agent.api.batch import batch_rows
from agent.api.page_quotes import PageRequest
from agent.domain.decision import Decision
from agent.domain.refusal import Refusal
from agent.domain.request import MAX_PAGE, QuoteRequest
from agent.service.opening import open_store
from agent.store import StoreUnavailable
from tests.agent.api.scripted import ADMIN, ScriptedService, scripted_app
from tests.prepared import World, open_all

HEADERS = {"Authorization": f"Bearer {ADMIN}"}
LINES = {**HEADERS, "Accept": "application/x-ndjson"}
MONEY = {"amount_minor": 1000, "currency": "USD"}


@pytest.fixture(scope="module")
def own(world: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    return world.copy(tmp_path_factory.mktemp("pages") / "data")


@pytest.fixture(scope="module")
def client(own: World) -> Iterator[TestClient[Litestar]]:
    with TestClient(create_app(own.settings(bootstrap_key=ADMIN, language_model=False), open_all)) as running:
        yield running


@pytest.fixture(scope="module")
def ids(own: World) -> list[str]:
    with open_store(own.settings()) as store:
        return sorted(product.product_id for product in store.iter_products())[:60]


@pytest.fixture
def service() -> ScriptedService:
    return ScriptedService()


@pytest.fixture
def scripted(service: ScriptedService, empty_store: Path) -> Iterator[TestClient[Litestar]]:
    with TestClient(scripted_app(service, empty_store)) as running:
        yield running


def test_a_page_has_one_row_for_each_product_in_its_order(
    client: TestClient[Litestar], own: World, ids: list[str]
) -> None:
    asked = {"shopper": {"id": own.shopper}, "products": [ids[2], "no-such", ids[0], ids[2]], "quantity": 3}
    answer = client.post("/v1/pages", json=asked, headers=HEADERS)
    assert answer.status_code == 200, answer.text
    rows = answer.json()["quotes"]
    assert [row["status"] for row in rows] == [200, 422, 200, 200]
    assert rows[1]["problem"]["errors"][0]["field"] == "product.id"
    quotes = [row["quote"] for row in rows]
    assert [one and one["product_id"] for one in quotes] == [ids[2], None, ids[0], ids[2]]
    assert quotes[0] == quotes[3]
    assert all(one["shopper_id"] == own.shopper and one["quantity"] == 3 for one in quotes if one)
    assert all(one["candidates"] is None and one["view"] == "merchant" for one in quotes if one)


def test_a_row_is_the_quote_that_was_recorded(client: TestClient[Litestar], own: World, ids: list[str]) -> None:
    asked = {"shopper": {"id": own.shopper}, "products": ids[:3]}
    rows = client.post("/v1/pages?include=candidates", json=asked, headers=HEADERS).json()["quotes"]
    for row in rows:
        recorded = client.get(f"/v1/quotes/{row['quote']['id']}", headers=HEADERS).json()
        assert recorded.pop("outcomes") == []
        assert {**recorded, "timing_ms": {}} == {**row["quote"], "timing_ms": {}}


def test_the_shoppers_view_has_nothing_of_the_merchants(
    client: TestClient[Litestar], own: World, ids: list[str]
) -> None:
    asked = {"shopper": {"id": own.shopper}, "products": ids[:2]}
    quote = client.post("/v1/pages?view=shopper", json=asked, headers=HEADERS).json()["quotes"][0]["quote"]
    assert quote["view"] == "shopper"
    assert "scores" not in quote


def test_where_time_is_short_every_row_has_the_reference_price(
    client: TestClient[Litestar], own: World, ids: list[str]
) -> None:
    asked = {"shopper": {"id": own.shopper}, "products": ids[:48], "deadline_ms": 1}
    for headers in (HEADERS, LINES):
        text = client.post("/v1/pages", json=asked, headers=headers).text
        rows = json.loads(text)["quotes"] if headers is HEADERS else [json.loads(line) for line in text.splitlines()]
        assert len(rows) == 48
        for quote in (row["quote"] for row in rows):
            assert quote["rung"] == "reference"
            assert quote["price"] == quote["reference_price"]


def test_lines_are_rows_in_the_order_of_the_page(client: TestClient[Litestar], own: World, ids: list[str]) -> None:
    products = [*ids, ids[0], "no-such", ids[59]]
    asked = {"shopper": {"id": own.shopper}, "products": products}
    answer = client.post("/v1/pages?view=shopper", json=asked, headers={**LINES, "Accept-Encoding": "gzip"})
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert "content-encoding" not in answer.headers  # rows arrive as they are written
    rows = [json.loads(line) for line in answer.text.splitlines()]
    assert [row["quote"] and row["quote"]["product_id"] for row in rows] == [*ids, ids[0], None, ids[59]]
    assert rows[60] == rows[0]
    assert rows[62] == rows[59]


def test_the_first_rows_are_priced_before_the_others(
    scripted: TestClient[Litestar], service: ScriptedService, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    quote = ScriptedService.quote

    def counted(self: ScriptedService, requests: Sequence[QuoteRequest]) -> list[Decision | Refusal]:
        sizes.append(len(requests))
        return quote(self, requests)

    monkeypatch.setattr(ScriptedService, "quote", counted)
    asked = {"products": [f"p{number}" for number in range(100)]}
    assert len(scripted.post("/v1/pages", json=asked, headers=LINES).text.splitlines()) == 100
    assert sizes == [8, 48, 44]
    sizes.clear()
    assert len(scripted.post("/v1/pages", json=asked, headers=HEADERS).json()["quotes"]) == 100
    assert sizes == [100]
    assert [one.product.id for one in service.quoted[100:]] == asked["products"]


def test_rows_that_the_store_cannot_record_any_more_say_so(
    scripted: TestClient[Litestar], service: ScriptedService, monkeypatch: pytest.MonkeyPatch
) -> None:
    quote = ScriptedService.quote

    def failing(self: ScriptedService, requests: Sequence[QuoteRequest]) -> list[Decision | Refusal]:
        if self.quoted:
            raise StoreUnavailable("gone")
        return quote(self, requests)

    monkeypatch.setattr(ScriptedService, "quote", failing)
    asked = {"products": [f"p{number}" for number in range(10)]}
    rows = [json.loads(line) for line in scripted.post("/v1/pages", json=asked, headers=LINES).text.splitlines()]
    assert [row["status"] for row in rows] == [200] * 8 + [503] * 2
    assert rows[9]["problem"]["code"] == "store-unavailable"
    assert scripted.post("/v1/pages", json=asked, headers=LINES).status_code == 503  # the first rows failed


@pytest.mark.parametrize("headers", [HEADERS, LINES], ids=["json", "lines"])
def test_a_page_under_an_idempotency_key_is_priced_once(
    scripted: TestClient[Litestar], service: ScriptedService, headers: dict[str, str]
) -> None:
    asked = {"products": [f"p{number}" for number in range(60)]}
    keyed = {**headers, "Idempotency-Key": "one"}
    first, again = (scripted.post("/v1/pages", json=asked, headers=keyed) for _ in range(2))
    assert first.status_code == 200
    assert (first.content, first.headers["content-type"]) == (again.content, again.headers["content-type"])
    assert again.headers["idempotency-replayed"] == "true"
    assert len(service.quoted) == 60
    assert len({one.quote_id for one in service.quoted}) == 60
    assert scripted.post("/v1/pages", json={"products": ["p1"]}, headers=keyed).status_code == 422


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({}, "products"),
        ({"products": []}, "products"),
        ({"products": ["p"] * (MAX_PAGE + 1)}, "products"),
        ({"products": [{"id": "p"}]}, "products.0"),
        ({"products": ["p", "  "]}, "products.1"),
        ({"products": ["p"], "quantity": 0}, "quantity"),
        ({"products": ["p"], "product": {"id": "p"}}, "product"),
        (
            {"products": ["p"], "limits": {"min_price": {"amount_minor": 1, "currency": "XXX"}}},
            "limits.min_price.currency",
        ),
        (
            {
                "products": ["p"],
                "limits": {"min_price": MONEY},
                "context": {"competitor_prices": [{**MONEY, "currency": "EUR"}]},
            },
            "body",
        ),
    ],
    ids=str,
)
@pytest.mark.parametrize("headers", [HEADERS, LINES], ids=["json", "lines"])
def test_a_bad_page_is_refused_whole(
    scripted: TestClient[Litestar], asked: dict[str, Any], field: str, headers: dict[str, str]
) -> None:
    answer = scripted.post("/v1/pages", json=asked, headers=headers)
    assert answer.status_code == 422, answer.text
    assert field in [error["field"] for error in answer.json()["errors"]]


def test_lines_need_a_key_and_strict_json_as_well(scripted: TestClient[Litestar]) -> None:
    assert scripted.post("/v1/pages", json={"products": ["p"]}, headers={"Accept": LINES["Accept"]}).status_code == 401
    assert scripted.post("/v1/pages", content=b"{", headers=LINES).status_code == 400


_shared = st.fixed_dictionaries(
    {},
    optional={
        "shopper": st.fixed_dictionaries({}, optional={"id": st.just("s1"), "profile": st.just({"age": 30})}),
        "events": st.just([{"type": "view", "product_id": "p2"}]),
        "context": st.fixed_dictionaries({}, optional={"channel": st.just("web"), "weather": st.just("snow")}),
        "limits": st.just({"min_price": MONEY}),
        "deadline_ms": st.integers(1, 60_000),
    },
)
_quantities = st.integers(1, 10_000)
_ids = st.sampled_from(["p1", " p1 ", "cafe\u0301", "p\u200b3"])


@given(_shared, _ids, st.none() | _quantities)
def test_a_request_of_a_page_is_the_one_that_a_lone_quote_would_be(
    shared: dict[str, Any], product_id: str, quantity: int | None
) -> None:
    given_quantity = {} if quantity is None else {"quantity": quantity}
    alone = QuoteRequest.model_validate_json(json.dumps({**shared, **given_quantity, "product": {"id": product_id}}))
    page = PageRequest.model_validate_json(json.dumps({**shared, **given_quantity, "products": ["x", product_id]}))
    found = page.requests()[str(alone.product.id)]
    assert found == alone
    assert found.model_dump_json(exclude_unset=True) == alone.model_dump_json(exclude_unset=True)
    assert found.tagged("q1", 2.0).quote_id == "q1"
    assert found.quote_id is None


@given(_shared, st.lists(st.tuples(_ids, st.none() | _quantities), min_size=1, max_size=4))
def test_plain_rows_of_a_batch_are_what_their_schema_would_make_of_them(
    shared: dict[str, Any], rows: list[tuple[str, int | None]]
) -> None:
    items = [{"product": {"id": one}, **({} if count is None else {"quantity": count})} for one, count in rows]
    found = batch_rows({**shared, "items": items})
    for item, row in zip(items, found, strict=True):
        assert isinstance(row, QuoteRequest)
        alone = QuoteRequest.model_validate_json(json.dumps({**shared, **item}))
        assert row.model_dump() == alone.model_dump()
        assert row.product.model_fields_set == {"id"}
