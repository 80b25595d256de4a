"""Outcomes and events over HTTP: kept or refused, never lost; times ahead are refused."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from litestar.testing import TestClient

from agent.api.app import create_app
from tests.prepared import World, open_all

ADMIN = "boot" * 6
HEADERS = {"Authorization": f"Bearer {ADMIN}"}
PARTS: list[dict[str, Any]] = [
    {"type": "purchased"},
    {"type": "returned", "quantity": 1},
    {"type": "returned", "quantity": 1},
    {"type": "returned", "quantity": 4},
]


@pytest.fixture(scope="module")
def client(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient[Any]]:
    own = world.copy(tmp_path_factory.mktemp("outcomes") / "data")
    settings = own.settings(bootstrap_key=ADMIN, bootstrap_scopes="admin,merchant,outcomes,quotes")
    with TestClient(create_app(settings, open_all)) as made:
        yield made


def post(client: TestClient[Any], path: str, body: Any, **headers: str) -> httpx.Response:
    return client.post(path, json=body, headers={**HEADERS, **headers})


def quoted(client: TestClient[Any], world: World, quantity: int = 5) -> str:
    body = {"shopper": {"id": "parts"}, "product": {"id": world.bought}, "quantity": quantity}
    return str(post(client, "/v1/quotes", body).json()["id"])


def stored(client: TestClient[Any], quote_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(f"/v1/quotes/{quote_id}", headers=HEADERS).json()["outcomes"]
    return found


@pytest.mark.parametrize("way", ["list", "one by one", "one by one with keys", "one by one with ids"])
def test_partial_returns_are_kept_or_refused_and_never_answered_as_stored_when_they_are_not(
    client: TestClient[Any], world: World, way: str
) -> None:
    quote_id = quoted(client, world)
    rows = [part | {"quote_id": quote_id} for part in PARTS]
    if way == "list":
        results = post(client, "/v1/outcomes", rows).json()["results"]
        answers = [(row["status"], row["outcome"] or row["problem"]) for row in results]
    else:
        named = [row | {"outcome_id": str(n)} for n, row in enumerate(rows)] if "ids" in way else rows
        keys: list[dict[str, str]] = [{"Idempotency-Key": f"{quote_id} {n}"} if "keys" in way else {} for n in range(4)]
        sent = [post(client, "/v1/outcomes", row, **key) for row, key in zip(named, keys, strict=True)]
        answers = [(one.status_code, one.json()) for one in sent]
    statuses = [status for status, _ in answers]
    expected = {"one by one": [201, 201, 409, 201], "list": [200, 200, 200, 409]}
    expected |= {name: [201, 201, 201, 409] for name in ("one by one with keys", "one by one with ids")}
    assert statuses == expected[way]
    assert [answer for status, answer in answers if status < 300] == stored(client, quote_id)
    refused = next(answer for status, answer in answers if status == 409)
    assert refused["detail"] and refused["errors"][0]["allowed"]


def test_a_purchase_sent_again_without_a_key_is_one_sale(client: TestClient[Any], world: World) -> None:
    quote_id = quoted(client, world, 1)
    first, again = (post(client, "/v1/outcomes", {"quote_id": quote_id, "type": "purchased"}) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json() == stored(client, quote_id)[0]


@pytest.mark.parametrize(
    ("before", "sent", "status"),
    [
        ([], {"type": "returned"}, 409),
        ([{"type": "purchased"}], {"type": "returned", "quantity": 7}, 422),
        ([], {"type": "purchased", "quantity": 500}, 422),
        ([{"type": "purchased"}], {"type": "declined"}, 409),
    ],
    ids=["return before purchase", "returns of 7 of 1", "purchases of 500", "decline after purchase"],
)
def test_what_cannot_be_is_refused(
    client: TestClient[Any], world: World, before: list[dict[str, Any]], sent: dict[str, Any], status: int
) -> None:
    quote_id = quoted(client, world, 1)
    for row in before:
        assert post(client, "/v1/outcomes", {"quote_id": quote_id, **row}).status_code == 201
    answer = post(client, "/v1/outcomes", {"quote_id": quote_id, **sent})
    assert answer.status_code == status and answer.json()["errors"][0]["field"] in ("type", "quantity")
    assert len(stored(client, quote_id)) == len(before)


@pytest.mark.parametrize("ahead", [timedelta(days=1, minutes=1), timedelta(days=26_000)], ids=["a day", "2097"])
def test_times_more_than_a_day_ahead_are_refused(client: TestClient[Any], world: World, ahead: timedelta) -> None:
    at = (datetime.now(UTC) + ahead).isoformat()
    quote_id = quoted(client, world)
    outcome = post(client, "/v1/outcomes", {"quote_id": quote_id, "type": "purchased", "at": at})
    assert outcome.status_code == 422 and outcome.json()["errors"][0]["field"] == "at"
    events = [{"shopper_id": "e", "type": "view", "product_id": world.bought}]
    answer = post(client, "/v1/events", [*events, events[0] | {"at": at}])
    assert answer.status_code == 422 and answer.json()["errors"][0]["field"] == "events.1.at"
    assert "future" in answer.json()["detail"] and client.get("/v1/shoppers/e", headers=HEADERS).status_code == 404


def test_times_up_to_a_day_ahead_are_taken(client: TestClient[Any], world: World) -> None:
    at = (datetime.now(UTC) + timedelta(hours=23)).isoformat()
    quote_id = quoted(client, world)
    assert post(client, "/v1/outcomes", {"quote_id": quote_id, "type": "purchased", "at": at}).status_code == 201
    assert post(client, "/v1/outcomes", {"quote_id": quote_id, "type": "returned"}).status_code == 201
    event = {"shopper_id": "e2", "type": "view", "product_id": world.bought, "at": at}
    assert post(client, "/v1/events", event).status_code == 200


def test_new_emoji_and_joiners_are_taken_and_a_bad_row_is_named(client: TestClient[Any]) -> None:
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001fa77"
    rows = [{"shopper_id": "emoji", "type": "search", "text": text} for text in (family, "\u0645\u06cc\u200c\u062e")]
    assert post(client, "/v1/events", rows).json() == {"accepted": 2}
    told = client.get("/v1/shoppers/emoji", headers=HEADERS).json()
    assert {event["text"] for event in told["events"]} == {row["text"] for row in rows}
    bad = post(client, "/v1/events", [*rows, {"shopper_id": "emoji", "type": "search", "text": "a\u0001"}])
    assert bad.status_code == 422 and bad.json()["errors"][0]["field"] == "events.2.text"
    assert "events.2.text" in bad.json()["detail"]


def test_units_sold_in_parts_are_one_accepted_offer_of_the_outcome_index(client: TestClient[Any], world: World) -> None:
    quote_id = quoted(client, world)
    rows = [{"quote_id": quote_id, "type": "purchased", "quantity": units} for units in (1, 3)]
    assert [row["status"] for row in post(client, "/v1/outcomes", rows).json()["results"]] == [200, 200]
    memory = client.app.state["context"].service._parts.outcomes.memory
    assert [one.outcome_id for one in memory._rows.values() if one.outcome_id.startswith(quote_id)] == [
        f"{quote_id}:purchased"
    ]
