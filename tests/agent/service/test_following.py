"""Two processes over one store: what one stores, the other prices within a moment."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from litestar.testing import TestClient

from agent.api.app import create_app
from agent.domain.decision import Decision
from agent.domain.records import EventRecord, EventType, OutcomeType, ProductRecord
from agent.domain.request import QuoteRequest
from agent.service.outcome_sequence import OutcomeReport
from agent.service.service import Service
from eval.serving import CommandServer, free_port, wait_ready
from tests.prepared import World, ask, open_all

KEY: Final = "a-key-of-enough-letters"
KETTLE: Final = ProductRecord("STALE", "Kettle", "EUR", 10_000, 5_000, category="kitchen")
DEARER: Final = replace(KETTLE, list_minor=20_000, cost_minor=15_000, map_minor=18_000)
WITHIN_S: Final = 3.0  # half a second and the slowness of a busy machine


@dataclass(frozen=True, slots=True)
class Two:
    """Two services over one folder, as two processes would have them."""

    server: Service
    command: Service


@pytest.fixture
def two(own: World) -> Iterator[Two]:
    server, command = own.service(), own.service()
    yield Two(server, command)
    command.close()
    server.close()


def test_a_product_changed_elsewhere_is_priced_by_its_new_cost_and_limits(two: Two) -> None:
    two.server.upsert_products([KETTLE])
    two.command.upsert_products([DEARER])
    assert two.server.follow().products == 1
    decision = ask(two.server, product={"id": "STALE"})
    assert decision.reference_minor == 20_000
    assert decision.price_minor >= 18_000


def test_one_of_two_leads_until_it_closes(two: Two) -> None:
    assert two.server.leads() and not two.command.leads()
    two.server.close()
    assert two.command.leads() and not two.server.leads()


def test_a_product_that_is_new_elsewhere_is_priced_and_found_by_similarity(two: Two) -> None:
    two.command.upsert_products([replace(KETTLE, product_id="gnome", title="zebra striped garden gnome")])
    assert not isinstance(two.server.quote([_request("gnome")])[0], Decision)
    two.server.follow()
    assert ask(two.server, product={"id": "gnome"}).reference_minor == 10_000
    price = {"amount_minor": 9_000, "currency": "EUR"}
    twin = ask(two.server, product={"title": "zebra striped garden gnome", "list_price": price, "category": "kitchen"})
    assert twin.similar[0].product_id == "gnome"


def test_a_product_removed_elsewhere_is_priced_no_more_and_comes_back(two: Two) -> None:
    two.server.upsert_products([KETTLE])
    two.command.follow()
    assert two.command.remove_product("STALE") is True
    two.server.follow()
    assert not isinstance(two.server.quote([_request("STALE")])[0], Decision)
    assert two.server.remove_product("STALE") is False
    two.command.upsert_products([KETTLE])
    two.server.follow()
    assert ask(two.server, product={"id": "STALE"}).reference_minor == 10_000


def test_outcomes_and_sales_told_elsewhere_reach_evidence_history_and_learning(two: Two, own: World) -> None:
    request = {"shopper": {"id": own.shopper}, "product": {"id": own.never_bought}}
    quoted = ask(two.command, **request)
    before = two.server.learned().lessons
    two.command.add_outcomes([OutcomeReport(quoted.id, OutcomeType.PURCHASED, 1, datetime.now(UTC))])
    found = two.server.follow()
    assert (found.events, found.outcomes) == (1, 1)
    assert two.server.learned().lessons == two.command.learned().lessons > before
    seen, own_view = ask(two.server, **request), ask(two.command, **request)
    assert f"{quoted.id}:purchased" in [outcome.outcome_id for outcome in seen.evidence]
    assert seen.interest == pytest.approx(own_view.interest, rel=1e-3)
    assert not two.server.follow().anything


def test_an_erasure_elsewhere_ends_a_shoppers_history(two: Two, own: World) -> None:
    request = {"shopper": {"id": own.shopper}, "product": {"id": own.bought}}
    assert "purchase_history" in ask(two.server, **request).disclosure.inputs_used
    assert own.shopper in two.server._parts.outcomes.memory.shopper_ids()
    two.command.erase_shopper(own.shopper)
    assert two.server.follow().erasures == 1
    assert "purchase_history" not in ask(two.server, **request).disclosure.inputs_used
    assert own.shopper not in two.server._parts.outcomes.memory.shopper_ids()


def test_own_writes_are_followed_at_once_and_once(two: Two, own: World) -> None:
    two.server.upsert_products([KETTLE])
    two.server.add_events([_sale(own.shopper)])
    quoted = ask(two.server, product={"id": "STALE"}, shopper={"id": own.shopper})
    two.server.add_outcomes([OutcomeReport(quoted.id, OutcomeType.PURCHASED, 1, datetime.now(UTC))])
    two.server.erase_shopper(own.shopper)
    assert not two.server.follow().anything


def test_a_list_price_cut_reaches_every_later_quote_and_a_restart_changes_nothing(own: World) -> None:
    service = own.service()
    for listed in (10_000, 8_000):
        service.upsert_products([replace(KETTLE, list_minor=listed)])
        quoted = ask(service, product={"id": "STALE"}, shopper={"id": f"f{listed}"})
        service.add_outcomes([OutcomeReport(quoted.id, OutcomeType.PURCHASED, 1, datetime.now(UTC))])
    later = [datetime.now(UTC) + timedelta(days=days) for days in (0, 8, 30, 91)]

    def references(running: Service) -> list[int]:
        asked = [ask(running, product={"id": "STALE"}, context={"at": at.isoformat()}) for at in later]
        return [decision.reference_minor for decision in asked]

    assert references(service) == [8_000] * len(later)
    service.close()
    restarted = own.service()
    assert references(restarted) == [8_000] * len(later)
    restarted.close()


def test_a_product_in_another_currency_is_not_priced_by_what_was_paid_or_quoted_before(own: World) -> None:
    service = own.service()
    service.upsert_products([KETTLE])
    shopper = {"id": "polyglot"}
    service.add_events([_sale("polyglot")])
    assert ask(service, product={"id": "STALE"}, shopper=shopper).reference_minor == 10_000
    service.upsert_products([replace(KETTLE, currency="JPY", list_minor=1_500, cost_minor=700)])
    decision = ask(service, product={"id": "STALE"}, shopper=shopper)
    assert (decision.reference_minor, decision.currency) == (1_500, "JPY")
    assert all(500 < one.price_minor < 2_000 for one in decision.candidates)
    service.close()


def test_a_server_says_in_its_log_what_it_followed(own: World, capsys: pytest.CaptureFixture[str]) -> None:
    app = create_app(own.settings(bootstrap_key=KEY), open_all)
    with TestClient(app) as client:
        client.headers["Authorization"] = f"Bearer {KEY}"
        body = {"product": {"id": "STALE"}}
        assert client.post("/v1/quotes", json=body).status_code == 422
        command = own.service()
        command.upsert_products([DEARER])
        command.close()
        _wait(lambda: _price(client, body) is not None)
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "followed the store" in line]
    assert [one["products"] for one in told] == [1]


@pytest.mark.slow  # a server and a command with all models, some thirty seconds
def test_a_running_server_follows_an_import_within_a_second(own: World, tmp_path: Path) -> None:
    port = free_port()
    environment = {"PRICESMITH_BOOTSTRAP_KEY": KEY, "PRICESMITH_DEFAULT_DEADLINE_MS": "30000"}
    server = CommandServer(own.folder, port, environment, own.folder / "serve.log")
    try:
        wait_ready(server, f"http://127.0.0.1:{port}")
        headers = {"Authorization": f"Bearer {KEY}"}
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30) as client:
            put = {"id": "STALE", "title": "Kettle", "list_price": _eur(10_000), "cost": _eur(5_000)}
            assert client.put("/v1/products", json=[put]).is_success
            _import(own.folder, tmp_path)
            _wait(lambda: _reference(client) == 20_000)
            answer = client.post("/v1/quotes", json={"product": {"id": "STALE"}}).json()
            assert answer["price"]["amount_minor"] >= 18_000
            assert client.post("/v1/quotes", json={"product": {"id": "NEW"}}).is_success
    finally:
        server.stop()
    assert "followed the store" in (own.folder / "serve.log").read_text()


def _import(folder: Path, scratch: Path) -> None:
    file = scratch / "stale.csv"
    file.write_text(
        "product_id,title,list_price,cost,map_price\nSTALE,Kettle,200.00,150.00,180.00\nNEW,Pan,9.00,4.00,\n"
    )
    command = [sys.executable, "-m", "agent.cli", "import", "products", str(file), "--currency", "EUR", "--into-demo"]
    subprocess.run([*command, "--data-dir", str(folder)], env=os.environ, check=True, capture_output=True)  # noqa: S603


def _reference(client: httpx.Client) -> Any:
    return client.post("/v1/quotes", json={"product": {"id": "STALE"}}).json()["reference_price"]["amount_minor"]


def _price(client: Any, body: Any) -> Any:
    return client.post("/v1/quotes", json=body).json().get("price")


def _wait(done: Any) -> None:
    began = time.monotonic()
    while not done():
        assert time.monotonic() - began < WITHIN_S, "not followed in time"
        time.sleep(0.05)


def _eur(amount: int) -> dict[str, object]:
    return {"amount_minor": amount, "currency": "EUR"}


def _request(product_id: str) -> QuoteRequest:
    return QuoteRequest.model_validate({"product": {"id": product_id}})


def _sale(shopper: str) -> EventRecord:
    return EventRecord(shopper, EventType.PURCHASE, datetime.now(UTC), "STALE", 1, 9_500, 10_000, "EUR")
