"""The same request gives the same price before and after a restart, and after a backup is restored elsewhere."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final

import pytest

from agent.domain.clock import FixedClock
from agent.domain.decision import Decision
from agent.domain.records import EventRecord, EventType, OutcomeRecord, OutcomeType, ProductRecord, ShopperRecord
from agent.domain.request import QuoteRequest
from agent.service.assembly import open_service
from agent.service.backup import restore, save_backup
from agent.service.opening import open_store
from agent.service.outcome_sequence import OutcomeReport
from agent.service.service import Service
from agent.service.settings import Settings
from agent.store.data_folder import DataFolder
from tests.prepared import LOADED, World, linked

HISTORIES: Final = 200
ROUNDS: Final = 7
NOW: Final = datetime(2026, 3, 4, 12, tzinfo=UTC)
_LISTS: Final = {"EUR": (2_000, 8_000, 10_000, 12_500), "JPY": (1_500, 16_000)}
_WORDS: Final = ("kettle", "toaster", "lamp", "garden gnome", "bicycle pump", "green tea")
_AHEAD: Final = (timedelta(0), timedelta(days=8), timedelta(days=60), timedelta(days=-30))


@dataclass
class Shop:
    """A shop without demo data: its folder, its clock, and the products that were put last."""

    folder: Path
    clock: FixedClock
    rng: Random
    products: dict[str, ProductRecord] = field(default_factory=dict)

    @contextmanager
    def running(self) -> Iterator[Service]:
        settings = Settings(
            data_dir=self.folder,
            default_deadline_ms=60_000,
            stable_prices=False,
            never_above_reference=False,
            threads=1,
        )
        service = open_service(settings, open_store(settings), self.clock, LOADED)
        try:
            yield service
        finally:
            service.close()


def shop_of(world: World, folder: Path, clock: FixedClock, seed: int = 0) -> Shop:
    shutil.copytree(world.folder / "models", folder / "models", copy_function=linked)
    return Shop(folder, clock, Random(seed))  # noqa: S311 repeatable histories


def put(shop: Shop, service: Service, ids: Sequence[str]) -> None:
    """New products, or known ones with another list price, cost, text, category or, rarely, currency."""
    records = []
    for product_id in ids:
        known, rng = shop.products.get(product_id), shop.rng
        currency = rng.choice(["EUR"] * 9 + ["JPY"]) if known is None or rng.random() < 0.1 else known.currency
        listed = rng.choice(_LISTS[currency])
        title = f"{rng.choice(_WORDS)} {product_id}" if known is None or rng.random() < 0.2 else known.title
        category = rng.choice(["kitchen", "garden"]) if known is None or rng.random() < 0.1 else known.category
        shop.products[product_id] = ProductRecord(
            product_id, title, currency, listed, rng.choice([None, listed // 2, listed // 9]), category=category
        )
        records.append(shop.products[product_id])
    service.upsert_products(records)


def tell_events(shop: Shop, service: Service, ids: Sequence[str]) -> None:
    """Sales and views, some long ago, some in another currency, some without a price."""
    events = []
    for product_id in ids:
        rng = shop.rng
        currency = rng.choice(["EUR", "EUR", "JPY"])
        listed = rng.choice(_LISTS[currency])
        price = rng.choice([None, listed, round(listed * 0.8)])
        event = EventRecord(
            shopper_id=f"u{rng.randrange(50)}",
            type=rng.choice([EventType.PURCHASE, EventType.PURCHASE, EventType.VIEW, EventType.ADD_TO_CART]),
            at=shop.clock.now() - timedelta(days=rng.choice([0, 0, 1, 9, 40, 200]), minutes=rng.randrange(500)),
            product_id=product_id,
            price_minor=price,
            list_minor=rng.choice([None, listed]) if price is not None else None,
            currency=currency if price is not None else None,
        )
        events.append(event)
    service.add_events(events)


def quote_and_report(shop: Shop, service: Service, ids: Sequence[str]) -> None:
    """Quotes, most of which are bought or declined."""
    requests = [request(f"u{shop.rng.randrange(50)}", product_id, None) for product_id in ids]
    answers = [answer for answer in service.quote(requests) if isinstance(answer, Decision)]
    shop.clock.at += timedelta(minutes=1)
    types = [shop.rng.choice([OutcomeType.PURCHASED, OutcomeType.DECLINED, None]) for _ in answers]
    told = [
        OutcomeReport(one.id, kind, None, shop.clock.now())
        for one, kind in zip(answers, types, strict=True)
        if kind is not None
    ]
    service.add_outcomes(told)


def import_outcomes(shop: Shop, service: Service, ids: Sequence[str]) -> None:
    """Outcomes of offers made elsewhere."""
    rows = []
    for product_id in ids:
        rng, product = shop.rng, shop.products[product_id]
        listed = product.list_minor or 0
        at = shop.clock.now() - timedelta(days=rng.randrange(60), minutes=rng.randrange(500))
        kind = rng.choice([OutcomeType.PURCHASED, OutcomeType.DECLINED])
        price = round(listed * rng.choice([1.0, 0.9, 0.8]))
        row = OutcomeRecord("", f"u{rng.randrange(50)}", product_id, product.currency, price, listed, kind, 1, at)
        rows.append(replace(row, outcome_id=f"{product_id}-{at.isoformat()}"))
    service.import_outcomes(rows)


def opt_out(shop: Shop, service: Service, ids: Sequence[str]) -> None:
    """Consents given and withdrawn."""
    for _ in ids:
        shopper = f"u{shop.rng.randrange(50)}"
        service.set_shopper(ShopperRecord(shopper, {"region": "urban"}, shop.rng.random() < 0.9))


STEPS: Final[Sequence[Callable[[Shop, Service, Sequence[str]], None]]] = (
    put,
    tell_events,
    tell_events,
    quote_and_report,
    import_outcomes,
    opt_out,
)


def live_through(shop: Shop, service: Service) -> None:
    """Random histories side by side: every product goes through steps of its own."""
    ids = [f"h{number}" for number in range(HISTORIES)]
    put(shop, service, ids)
    for _ in range(ROUNDS):
        chosen = {product_id: shop.rng.choice(STEPS) for product_id in ids}
        for step in dict.fromkeys(STEPS):
            step(shop, service, [product_id for product_id in ids if chosen[product_id] is step])
            shop.clock.at += timedelta(hours=shop.rng.choice([1, 30, 100]))


def request(shopper: str, product: str, at: datetime | None) -> QuoteRequest:
    context = {"at": at.isoformat()} if at is not None else {}
    return QuoteRequest.model_validate({"shopper": {"id": shopper}, "product": {"id": product}, "context": context})


def asked(shop: Shop) -> list[QuoteRequest]:
    """One request a history, at different moments."""
    rng = Random(1)  # noqa: S311 the same each time
    return [
        request(f"u{number % 50}", f"h{number}", shop.clock.now() + rng.choice(_AHEAD)) for number in range(HISTORIES)
    ]


def answers(shop: Shop, service: Service) -> list[tuple[object, ...]]:
    found: list[tuple[object, ...]] = []
    for answer in service.drafts(asked(shop)):
        assert isinstance(answer, Decision), answer
        chance = answer.scores.purchase_probability.value if answer.scores is not None else 0.0
        found.append((answer.product_id, answer.reference_minor, answer.currency, answer.price_minor, round(chance, 6)))
    return found


@pytest.fixture(scope="module")
def lived(world: World, tmp_path_factory: pytest.TempPathFactory) -> tuple[Shop, list[tuple[object, ...]], Path]:
    """A shop with its histories, the answers that it gave at the end, and its backup."""
    root = tmp_path_factory.mktemp("same-price")
    shop = shop_of(world, root / "data", FixedClock(NOW))
    with shop.running() as service:
        live_through(shop, service)
        given = answers(shop, service)
        with open_store(Settings(data_dir=shop.folder)) as store:
            save_backup(store, DataFolder(shop.folder), root / "backup.tar", shop.clock.now(), lambda *_: None)
    return shop, given, root / "backup.tar"


def test_prices_of_random_histories_are_the_same_after_a_restart(
    lived: tuple[Shop, list[tuple[object, ...]], Path],
) -> None:
    shop, given, _ = lived
    with shop.running() as service:
        assert answers(shop, service) == given


def test_prices_of_random_histories_are_the_same_after_a_backup_is_restored(
    lived: tuple[Shop, list[tuple[object, ...]], Path], world: World, tmp_path: Path
) -> None:
    shop, given, backup = lived
    other = shop_of(world, tmp_path / "data", shop.clock)
    restore(backup, DataFolder(other.folder).database_url, DataFolder(other.folder), lambda *_: None)
    with other.running() as service:
        assert answers(other, service) == given


def test_references_of_random_histories_are_the_present_list_prices(
    lived: tuple[Shop, list[tuple[object, ...]], Path],
) -> None:
    shop, given, _ = lived
    expected = {product_id: (one.list_minor, one.currency) for product_id, one in shop.products.items()}
    now = [
        answer
        for answer, wanted in zip(given, asked(shop), strict=True)
        if (wanted.context.at or NOW) >= shop.clock.now()
    ]
    assert {answer[0]: (answer[1], answer[2]) for answer in now} == {
        answer[0]: expected[str(answer[0])] for answer in now
    }
    assert sum(answer[1] != answer[3] for answer in given) > HISTORIES // 4, "few prices were personalised"
