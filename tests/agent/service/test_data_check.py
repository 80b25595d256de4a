"""Stored rows that cannot be true are named, removed, and then as if they had never been there."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from agent.cli.main import app
from agent.domain.decision import Decision
from agent.domain.records import EventRecord, EventType, OutcomeRecord, OutcomeType, ProductRecord
from agent.domain.request import QuoteRequest
from agent.service.assembly import open_service
from agent.service.data_check import Fault, RowKind, bad_rows
from agent.service.doctor.finding import Level
from agent.service.doctor.stored_data import check_rows
from agent.service.feedback import week_of_sale
from agent.service.opening import open_store
from agent.service.service import Service
from agent.service.settings import Settings
from agent.store import Store
from agent.store.data_folder import DataFolder
from models.shopper.weeks import week_of, week_start
from tests.agent.store.builders import outcome
from tests.prepared import LOADED, World, linked

NOW = datetime.now(UTC)
FUTURE = datetime(2099, 12, 31, tzinfo=UTC)


def products() -> list[ProductRecord]:
    return [
        ProductRecord(f"p{n}", f"Thing {n}", "EUR", list_minor=2_000 + 500 * n, cost_minor=900, category="things")
        for n in range(4)
    ]


def offers(count: int = 60) -> list[OutcomeRecord]:
    return [
        OutcomeRecord(
            outcome_id=f"o{n}",
            shopper_id=f"s{n % 7}",
            product_id=f"p{n % 4}",
            currency="EUR",
            price_minor=1_800 + 500 * (n % 4),
            reference_minor=2_000 + 500 * (n % 4),
            type=OutcomeType.PURCHASED if n % 3 else OutcomeType.DECLINED,
            quantity=1,
            at=NOW - timedelta(days=1 + n / 2),
        )
        for n in range(count)
    ]


def bad_offers() -> list[OutcomeRecord]:
    base = replace(offers()[4], type=OutcomeType.PURCHASED)
    return [
        replace(base, outcome_id="future", at=FUTURE),
        replace(base, outcome_id="yen", currency="JPY", price_minor=30_000, reference_minor=32_000),
        replace(base, outcome_id="cents", price_minor=180_000, reference_minor=200_000),
    ]


def bad_events() -> list[EventRecord]:
    sale = EventRecord("s1", EventType.PURCHASE, FUTURE, "p1", 1, 2_400, 2_500, "EUR")
    return [sale, replace(sale, at=NOW - timedelta(days=9), price_minor=24_000, list_minor=25_000, currency="JPY")]


def shop(world: World, folder: Path) -> Settings:
    folder.mkdir()
    shutil.copytree(world.folder / "models", folder / "models", copy_function=linked)
    return Settings.model_validate({"data_dir": folder, "default_deadline_ms": 30_000, "stable_prices": False})


def opened(settings: Settings) -> Service:
    return open_service(settings, open_store(settings), shared=LOADED)


def prices(service: Service) -> list[Any]:
    asked = [
        QuoteRequest.model_validate({"shopper": {"id": f"s{n}"}, "product": {"id": f"p{n % 4}"}}) for n in range(7)
    ]
    return [
        (one.price_minor, one.reference_minor, one.scores, sorted(past.outcome_id for past in one.evidence))
        for one in service.drafts(asked)
        if isinstance(one, Decision)
    ]


def remembered(service: Service) -> list[Any]:
    memory, store = service._parts.outcomes.memory, service._parts.store
    weeks = list(store.product_weeks())
    facts = service._parts.catalogue.weeks.facts(week_of(NOW.timestamp()))
    return [sorted(map(repr, memory._rows.values())), weeks, facts.reference.tolist(), facts.share.tolist()]


def test_after_a_removal_the_next_start_equals_a_store_that_never_had_the_rows(world: World, tmp_path: Path) -> None:
    found = []
    for name, bad in (("clean", False), ("mended", True)):
        settings = shop(world, tmp_path / name)
        service = opened(settings)
        service.upsert_products(products())
        service.import_outcomes(offers()[:30] + (bad_offers() if bad else []) + offers()[30:])
        if bad:
            service.keep_events(bad_events())
        service._parts.outcomes.memory.save(service._parts.folder.outcome_memory)
        service.close()
        if bad:
            done = CliRunner().invoke(
                app, ["data", "remove", "--all-bad", "--yes", "--json", "--data-dir", str(settings.data_dir)]
            )
            assert json.loads(done.stdout) == {"events": 5, "outcomes": 3, "sales": 0, "outcomes of quotes, kept": 0}
        again = opened(settings)
        found.append((prices(again), remembered(again)))
        again.close()
    clean, mended = found
    assert len(clean[0]) == 7
    assert mended == clean


def test_a_process_that_outlives_a_removal_cannot_bring_the_rows_back(world: World, tmp_path: Path) -> None:
    settings = shop(world, tmp_path / "data")
    running = opened(settings)
    running.upsert_products(products())
    running.import_outcomes([*offers(), *bad_offers()])
    with open_store(settings) as store:
        removed = store.remove_rows([], [row.number for row in bad_rows(store, NOW) if row.kind is RowKind.OUTCOME])
        assert (removed.outcomes, removed.sales) == (3, 3)
    running.close()
    again = opened(settings)
    assert {row.outcome_id for row in again._parts.outcomes.memory._rows.values()} == {o.outcome_id for o in offers()}
    again.close()


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with Store.open(store_url) as opened_store:
        opened_store.upsert_products(products())
        yield opened_store


def test_bad_rows_are_named_with_their_fault_and_honest_ones_are_not(store: Store) -> None:
    store.record_outcomes([*offers(), *bad_offers()])
    store.append_events(bad_events())
    found = [(row.kind, row.row_id, row.fault) for row in bad_rows(store, NOW)]
    assert found == [
        (RowKind.EVENT, "", Fault.FUTURE),
        (RowKind.EVENT, "", Fault.CURRENCY),
        (RowKind.OUTCOME, "future", Fault.FUTURE),
        (RowKind.OUTCOME, "yen", Fault.CURRENCY),
        (RowKind.OUTCOME, "cents", Fault.SUSPICIOUS),
    ]
    finding = check_rows(store, NOW)
    assert finding.level is Level.WARNING
    assert "4 cannot be true" in finding.detail
    assert "2099-12-31" in finding.detail
    assert "pricesmith data" in finding.remedy


def test_a_store_without_bad_rows_is_well(store: Store) -> None:
    store.record_outcomes(offers())
    assert list(bad_rows(store, NOW)) == []
    assert check_rows(store, NOW).level is Level.OK


def test_outcomes_of_quotes_stay(store: Store) -> None:
    ours = outcome(product_id="p1", currency="EUR", at=FUTURE, quote_id="q1")
    store.record_outcomes([ours])
    (row,) = bad_rows(store, NOW)
    assert not row.removable
    assert store.remove_rows([], [row.number]).outcomes == 0
    assert store.last_outcome() == row.number


def test_weekly_facts_lose_what_a_removed_sale_brought(store: Store) -> None:
    monday = week_start(week_of(NOW.timestamp()) - 1)

    sales = [
        EventRecord("s1", EventType.PURCHASE, monday + timedelta(hours=n), "p1", 1, 2_000 + n, 2_500 + n, "EUR")
        for n in range(3)
    ]
    store.append_events(sales, week_of_sale)
    store.append_events([replace(sales[0], at=FUTURE)], week_of_sale)
    store.remove_rows([3, 4], [])
    assert [(w.week, w.purchases, w.list_minor, w.price_minor) for w in store.product_weeks()] == [
        (monday, 2, 2_501, 2_001)
    ]
    store.remove_rows([1, 2], [])
    assert list(store.product_weeks()) == []


def run(settings: Settings, *command: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["data", *command, "--data-dir", str(settings.data_dir)])
    return done.exit_code, done.output


def test_the_command_lists_asks_and_removes_by_number(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    with Store.open(DataFolder(tmp_path).database_url) as made:
        made.upsert_products(products())
        made.record_outcomes([*offers(3), *bad_offers()])
        made.append_events(bad_events())
    code, told = run(settings, "check", "--json")
    assert code == 1
    assert [(row["kind"], row["number"]) for row in json.loads(told)["rows"]] == [
        ("event", 1),
        ("event", 2),
        ("outcome", 4),
        ("outcome", 5),
        ("outcome", 6),
    ]
    assert run(settings, "remove", "--events", "1,2")[0] == 1, "asks, and nobody answers"
    assert run(settings, "remove", "--events", "1,2", "--outcomes", "4", "--yes")[0] == 0
    assert "5 bad rows" not in run(settings, "check")[1]
    assert run(settings, "remove", "--all-bad", "--yes")[0] == 0
    code, told = run(settings, "check")
    assert (code, told.strip()) == (0, "own store: all stored events and outcomes are well")


@pytest.mark.parametrize(
    "command",
    [("remove",), ("remove", "--all-bad", "--events", "1"), ("remove", "--events", "x"), ("remove", "--events", "99")],
)
def test_a_removal_of_nothing_known_is_a_usage_error(tmp_path: Path, command: tuple[str, ...]) -> None:
    Store.open(DataFolder(tmp_path).database_url).close()
    assert run(Settings(data_dir=tmp_path), *command, "--yes")[0] == 2


def test_the_demo_store_is_well(world: World) -> None:
    with open_store(world.settings()) as demo:
        assert list(bad_rows(demo, NOW)) == []
