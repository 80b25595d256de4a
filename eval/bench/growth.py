"""Growth: memory and latency of quotes with more products and more shoppers.

    python -m eval.bench.growth --models demo/models --products 1000,100000,1000000 --shoppers 10000,1000000

Generates a shop of each number of products with the first number of shoppers, then of the first number of products with
each further number of shoppers, and measures one server over each, one after another. Views of the shoppers who will be
quoted are told first, so that in every shop their memory is worked out and kept; with a million shoppers that takes
hours for all of them.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import numpy as np
import psutil

from agent.cli.output import print_table, progress_bar
from agent.service.feedback import week_of_sale
from agent.service.opening import open_store
from agent.service.settings import Settings
from agent.state.catalogue import entry_of
from agent.store.data_folder import DataFolder
from eval.bench.figures import RowFigures, flatness, row_figures
from eval.bench.generated_store import ShopSize, product, product_id, product_vectors, purchases, shopper_id
from eval.bench.load import LoadGenerator, Sending
from eval.bench.report import machine
from eval.bench.rows import ROWS, Shop, Turn
from eval.bench.subjects import Memory, Subject, Tree, served
from eval.serving import stop_on_sigterm
from models.encoder.encoder import DIM
from models.progress import Progress
from models.registry.registry import ModelKind, Registry
from retrieval import ProductIndex

FLAT: Final = 1.5
"""Goal: the largest latency over that of the first shop."""
_MEASURED: Final = ("random", "page_not_met", "page_met", "same")
_SAMPLED_SHOPPERS: Final = 1_200
_SAMPLED_PRODUCTS: Final = 5_000
_BATCH: Final = 10_000
_EVENTS: Final = 50_000
_TOLD: Final = 1_000  # events a call


@dataclass(frozen=True, slots=True)
class Grown:
    """Figures of one size; `index_mib` is what loading the product index adds to a process."""

    products: int
    shoppers: int
    fill_s: float
    index_s: float
    start_s: float
    index_mib: float
    index_disk_mib: float
    database_mib: float
    memory: Memory
    rows: dict[str, RowFigures]


def sizes(products: Sequence[int], shoppers: Sequence[int]) -> list[ShopSize]:
    """Sizes to measure: each number of products with the fewest shoppers, each further one of shoppers besides."""
    grown = [ShopSize(count, shoppers[0]) for count in products]
    return grown + [ShopSize(products[0], count) for count in shoppers[1:]]


def spread(count: int, most: int) -> list[int]:
    """At most `most` of the numbers below `count`, evenly spread."""
    return sorted(set(np.linspace(0, count - 1, min(count, most)).astype(int).tolist()))


def fill(data_dir: Path, models: Path, size: ShopSize, progress: Progress) -> tuple[float, float]:
    """Make a data folder: products, purchases and the product index; returns the seconds of store and index."""
    folder = DataFolder(data_dir)
    shutil.copytree(models, folder.models)
    began, until = time.perf_counter(), datetime.now(UTC)
    with open_store(Settings(data_dir=data_dir)) as store:
        for first in range(0, size.products, _BATCH):
            progress(f"products of {size.products:,}", first / size.products)
            store.upsert_products([product(number) for number in range(first, min(size.products, first + _BATCH))])
        for first in range(0, size.shoppers, _BATCH):
            progress(f"shoppers of {size.shoppers:,}", first / size.shoppers)
            events = purchases(size, first, min(_BATCH, size.shoppers - first), until)
            while some := list(islice(events, _EVENTS)):
                store.append_events(some, week_of_sale)
        revision = store.marks().revision
    filled = time.perf_counter()
    index = ProductIndex(DIM, Registry(folder.models).active(ModelKind.ENCODER))
    for first in range(0, size.products, _BATCH):
        progress(f"index of {size.products:,}", first / size.products)
        numbers = range(first, min(size.products, first + _BATCH))
        index.upsert([entry_of(product(number)) for number in numbers], product_vectors(first, len(numbers)))
    index.watermark = revision
    index.save(folder.product_index)
    return filled - began, time.perf_counter() - filled


def measure(data_dir: Path, models: Path, size: ShopSize, options: argparse.Namespace, progress: Progress) -> Grown:
    """Fill a folder, serve it, and measure its rows."""
    fill_s, index_s = fill(data_dir, models, size, progress)
    folder = DataFolder(data_dir)
    with get_context("spawn").Pool(1) as alone:
        index_mib = alone.apply(loaded_mib, (data_dir,))
    shop = Shop.of(
        [shopper_id(number) for number in spread(size.shoppers, _SAMPLED_SHOPPERS)],
        [product_id(number) for number in spread(size.products, _SAMPLED_PRODUCTS)],
    )
    progress(f"serving {size.products:,} products, {size.shoppers:,} shoppers", 0.0)
    with served(Tree("this"), data_dir, None) as subject:
        tell(subject, [*shop.met, *shop.fresh, *shop.others], shop.products)
        subject.warm_up(shop, options.settle)
        rows = dict(measured_rows(subject, shop, options.seconds))
        return Grown(
            products=size.products,
            shoppers=size.shoppers,
            fill_s=round(fill_s, 1),
            index_s=round(index_s, 1),
            start_s=round(subject.start_s, 1),
            index_mib=round(index_mib, 1),
            index_disk_mib=round(sum(f.stat().st_size for f in folder.product_index.rglob("*")) / 2**20, 1),
            database_mib=round(folder.database.stat().st_size / 2**20, 1),
            memory=subject.memory(),
            rows=rows,
        )


def tell(subject: Subject, shoppers: Sequence[str], products: Sequence[str]) -> None:
    """Tell one view of each shopper."""
    views = [
        {"shopper_id": shopper, "type": "view", "product_id": products[number % len(products)]}
        for number, shopper in enumerate(shoppers)
    ]
    with subject.client() as http:
        for first in range(0, len(views), _TOLD):
            http.post("/v1/events", json={"events": views[first : first + _TOLD]}).raise_for_status()


def measured_rows(subject: Subject, shop: Shop, seconds: float) -> Iterator[tuple[str, RowFigures]]:
    """Measure the rows for one client."""
    generator = LoadGenerator()
    for row in (row for row in ROWS if row.name in _MEASURED):
        asked = row.requests(shop, Turn(0, 1))
        bodies = [json.dumps(subject.body(one)) for one in asked]
        sending = Sending(1, seconds, repeats=row.repeats, rows=row.quotes > 1)
        yield row.name, row_figures(generator.send(subject.target(asked), bodies, sending), 1, row.quotes)


def loaded_mib(data_dir: Path) -> float:
    """Memory that loading the product index adds to this process, MiB."""
    folder, process = DataFolder(data_dir), psutil.Process()
    version = Registry(folder.models).active(ModelKind.ENCODER)
    before = process.memory_info().rss
    index = ProductIndex.load(folder.product_index, version)
    index.similar(product_vectors(0, 1), 5)
    return float(process.memory_info().rss - before) / 2**20


def flat(grown: Sequence[Grown]) -> dict[str, float]:
    """By row, the largest latency over that of the first size."""
    names = dict.fromkeys(name for one in grown for name in one.rows)
    return {name: round(flatness(one.rows[name].p50_ms for one in grown), 3) for name in names}


def cells(one: Grown) -> list[str]:
    """Cells of the table of one size."""
    latencies: Mapping[str, RowFigures] = one.rows
    return [
        f"{one.products:,}",
        f"{one.shoppers:,}",
        *(f"{latencies[name].p50_ms:.1f}" for name in _MEASURED),
        str(sum(row.errors for row in latencies.values())),
        *(f"{mib:,.0f}" for mib in (one.memory.rss_mib, one.memory.uss_mib, one.index_mib, one.index_disk_mib)),
        *(f"{mib:,.0f}" for mib in (one.database_mib, one.start_s, one.fill_s, one.index_s)),
    ]


def main() -> int:
    """Measure every size, print a table, and write JSON if asked to; returns 1 where latency grew by more than half."""
    parser = argparse.ArgumentParser(prog="python -m eval.bench.growth", description=__doc__.partition("\n")[0])
    parser.add_argument("--models", type=Path, default=Path("demo/models"), help="folder `models` of a prepared folder")
    parser.add_argument("--products", type=_numbers, default=[1_000, 100_000])
    parser.add_argument("--shoppers", type=_numbers, default=[10_000])
    parser.add_argument("--seconds", type=float, default=8.0, help="longest duration of a row")
    parser.add_argument("--settle", type=float, default=60.0, help="longest wait for background work, twice")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--work", type=Path, help="folder for the shops; default: the system's for such")
    options = parser.parse_args()
    grown: list[Grown] = []
    with progress_bar(quiet=False) as progress:
        for size in sizes(options.products, options.shoppers):
            with tempfile.TemporaryDirectory(prefix="pricesmith-growth-", dir=options.work) as folder:
                grown.append(measure(Path(folder) / "data", options.models.resolve(), size, options, progress))
    columns = ["products", "shoppers", *(f"{name} ms" for name in _MEASURED), "errors", "RSS MiB", "USS MiB"]
    columns += ["index MiB", "index on disk", "database MiB", "start s", "fill s", "index s"]
    print_table("growth, one client, p50", columns, [cells(one) for one in grown])
    growth = flat(grown)
    sys.stdout.write(f"largest p50 over the first: {growth}; goal {FLAT}\n")
    if options.json is not None:
        found = {"layout": 1, "machine": machine(), "sizes": [asdict(one) for one in grown], "flat": growth}
        options.json.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    return 1 if any(ratio > FLAT for ratio in growth.values()) else 0


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


if __name__ == "__main__":
    stop_on_sigterm()
    sys.exit(main())
