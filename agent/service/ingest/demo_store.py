"""Demo store: the Complete Journey data as products, shoppers, events, weekly facts and past outcomes.

The data is simulated and for education only. It has no costs: they are assumed to be 70 % of the regular price, which
each product notes in its attributes. Times stay as in the data (2017); `StoreClock` maps the present to its end.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

import numpy as np
import pandas as pd

from agent.domain.clock import Clock, StoreClock
from agent.domain.records import (
    EventRecord,
    EventType,
    OutcomeRecord,
    OutcomeType,
    ProductRecord,
    ProductWeek,
    ShopperRecord,
)
from agent.service.ingest.store_choice import mark_as_demo
from agent.store import Store
from agent.store.kind import LOADED_KEY
from agent.store.rows import chunks
from models.datasets.complete_journey import CURRENCY, Journey
from models.datasets.complete_journey_weeks import WeekColumns, week_columns
from models.progress import Progress
from models.shopper.product_weeks import ProductWeeks
from models.shopper.weeks import week_start
from models.training.panel import Panel, PanelBuilder, PanelConfig

MIN_PURCHASES: Final = 20
COST_FRAC: Final = 0.70
COST_NOTE: Final = "assumed: 70 % of the regular price (the data has no costs)"
_BATCH: Final = 50_000


@dataclass(frozen=True, slots=True)
class DemoSize:
    """Amount of demo data to load.

    Attributes:
        households: The busiest ones; None for all.
        first_outcome_week: Week of the data from which on past outcomes are made.
        rate_a, rate_b: Sampling rates of past outcomes, as in `models.training.panel`.
    """

    households: int | None = None
    first_outcome_week: int = 42
    rate_a: float = 0.02
    rate_b: float = 0.002

    @classmethod
    def small(cls, households: int) -> "DemoSize":
        """The busiest households and the products that they bought often enough; for tests and quick trials."""
        return cls(households=households, rate_a=0.1, rate_b=0.01)


def load_demo(store: Store, read: Callable[[], Journey], clock: Clock, size: DemoSize, progress: Progress) -> None:
    """Fill an empty store, or resume an interrupted load; does nothing when the demo is loaded.

    Raises:
        WrongStoreError: The store is a shop's own.
    """
    if store.meta(LOADED_KEY) is not None:
        return
    mark_as_demo(store, clock)
    progress("read the data", 0.0)
    journey = read()
    receipts = _chosen(journey.receipts, size)
    counts = receipts["product_id"].value_counts()
    sold = set(counts.index[counts >= (MIN_PURCHASES if size.households is None else 3)])
    receipts = receipts.loc[receipts["product_id"].isin(sold)]
    table = journey.products.loc[journey.products["product_id"].isin(sold)]
    columns = week_columns(receipts)
    progress("products", 0.05)
    end = datetime.fromtimestamp(int(receipts["at_s"].max()), UTC)
    store.upsert_products(products(table, columns), end)
    store.upsert_shoppers(shoppers(journey.demographics, set(receipts["household_id"])))
    for batch in chunks(product_weeks(columns), _BATCH):
        store.put_product_weeks(batch)
    progress("events", 0.15)
    done = store.event_count()  # an interrupted load resumes here: the order is always the same
    for events in chunks(islice(purchases(receipts), done, None), _BATCH):
        store.append_events(events)
        done += len(events)
        progress("events", 0.15 + 0.4 * done / len(receipts))
    for outcomes in chunks(past_outcomes(Journey(receipts, table, journey.demographics), size, progress), _BATCH):
        store.record_outcomes(outcomes)
    for key, value in StoreClock(end, clock.now()).to_meta().items():
        store.set_meta(key, value)
    store.set_meta(LOADED_KEY, clock.now().isoformat())
    progress("loaded", 1.0)


def products(table: pd.DataFrame, columns: WeekColumns) -> list[ProductRecord]:
    """Products; list prices are the medians of the last weeks of the data."""
    weeks = ProductWeeks.build(
        {str(row.product_id): str(row.category) for row in table.itertuples()},
        (columns.products, columns.weeks, columns.purchases, columns.list_minor, columns.price_minor),
    )
    reference = weeks.facts(int(columns.weeks.max()) + 1).reference
    records = []
    for row in table.itertuples():
        price = round(float(reference[weeks.rows[str(row.product_id)]]))
        records.append(
            ProductRecord(
                product_id=str(row.product_id),
                title=str(row.title),
                currency=CURRENCY,
                list_minor=price,
                cost_minor=round(COST_FRAC * price),
                category=str(row.category),
                brand=str(row.brand),
                attributes={"department": str(row.department), "cost_basis": COST_NOTE},
            )
        )
    return records


def shoppers(demographics: pd.DataFrame, households: set[int]) -> list[ShopperRecord]:
    """Households with their demographics; family and marital columns are stored but never used."""
    described: dict[int, dict[str, Any]] = {
        int(row.pop("household_id")): {key: value for key, value in row.items() if isinstance(value, str)}
        for row in demographics.to_dict("records")
    }
    return [ShopperRecord(str(household), described.get(household, {})) for household in sorted(households)]


def product_weeks(columns: WeekColumns) -> Iterator[ProductWeek]:
    """Weekly facts as records."""
    starts = {int(week): week_start(int(week)) for week in np.unique(columns.weeks)}
    rows = zip(
        columns.products,
        columns.weeks.tolist(),
        columns.purchases.tolist(),
        columns.list_minor.tolist(),
        columns.price_minor.tolist(),
        strict=True,
    )
    for product, week, count, list_minor, price_minor in rows:
        yield ProductWeek(product, starts[week], int(count), round(list_minor), round(price_minor), CURRENCY)


def purchases(receipts: pd.DataFrame) -> Iterator[EventRecord]:
    """Receipt lines as purchase events: paid and regular price per unit."""
    rows = zip(
        receipts["household_id"].tolist(),
        receipts["product_id"].tolist(),
        receipts["at_s"].tolist(),
        receipts["quantity"].tolist(),
        (receipts["paid"] * 100).round().astype(int).tolist(),
        (receipts["regular"] * 100).round().astype(int).tolist(),
        strict=True,
    )
    for household, product, at_s, quantity, paid, regular in rows:
        yield EventRecord(
            shopper_id=str(household),
            type=EventType.PURCHASE,
            at=datetime.fromtimestamp(at_s, UTC),
            product_id=str(product),
            quantity=quantity,
            price_minor=max(0, paid),
            list_minor=regular,
            currency=CURRENCY,
        )


def past_outcomes(journey: Journey, size: DemoSize, progress: Progress) -> Iterator[OutcomeRecord]:
    """Past offers to households and whether they bought, sampled as in `models.training.panel`."""
    config = PanelConfig(
        first_week=size.first_outcome_week, last_week=52, rate_a=size.rate_a, rate_b=size.rate_b, with_features=False
    )
    panel = PanelBuilder(journey, config).build(lambda week: progress("past outcomes", 0.55 + 0.4 * week / 52))
    yield from _records(panel)


def _records(panel: Panel) -> Iterator[OutcomeRecord]:
    rows = zip(
        panel.household.tolist(),
        panel.product.tolist(),
        panel.at_s.tolist(),
        panel.bought.tolist(),
        panel.weight.tolist(),
        panel.reference_minor.tolist(),
        np.exp(panel.log_ratio).tolist(),
        strict=True,
    )
    for number, (household, product, at_s, bought, weight, reference, ratio) in enumerate(rows):
        yield OutcomeRecord(
            outcome_id=f"demo-{number}",
            shopper_id=str(household),
            product_id=str(product),
            currency=CURRENCY,
            price_minor=round(reference * ratio),
            reference_minor=round(reference),
            type=OutcomeType.PURCHASED if bought else OutcomeType.DECLINED,
            quantity=1,
            at=datetime.fromtimestamp(at_s, UTC),
            weight=weight,
        )


def _chosen(receipts: pd.DataFrame, size: DemoSize) -> pd.DataFrame:
    if size.households is None:
        return receipts
    busiest: Sequence[int] = receipts["household_id"].value_counts().index[: size.households].tolist()
    return receipts.loc[receipts["household_id"].isin(busiest)].reset_index(drop=True)
