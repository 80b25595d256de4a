"""Time and peak memory of `pricesmith import outcomes` on a generated file: `python -m eval.bench.imports`.

Each `--code` folder is measured in a fresh data folder, one after another and `--rounds` times in turn, so that several
versions are compared on one machine in one run.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet

_PRODUCTS: Final = 2_000
_OFFERS_EACH: Final = 12.5  # offers a shopper
_BOUGHT: Final = 0.2
_SPAN_S: Final = 200 * 86_400
_GROUP: Final = 500_000  # rows written at a time
_SEED: Final = 41
_RATIOS: Final = (0.7, 0.8, 0.9, 0.95, 1.0, 1.05, 1.1)


@dataclass(frozen=True, slots=True)
class Measured:
    """One import: wall and processor time, peak resident memory, and what the command answered."""

    code: str
    rows: int
    wall_s: float
    cpu_s: float
    peak_mib: float
    answer: dict[str, object]


def write_files(folder: Path, rows: int) -> tuple[Path, Path]:
    """Write a file of products and a Parquet file of outcomes in time order; returns their paths."""
    rng = np.random.default_rng(_SEED)
    lists = rng.integers(300, 9_000, _PRODUCTS)
    products = folder / "products.csv"
    lines = [f"p{n},Product {n},Category {n % 40},{minor / 100:.2f}" for n, minor in enumerate(lists.tolist())]
    products.write_text("\n".join(["product_id,title,category,list_price", *lines]) + "\n", "utf-8")
    outcomes = folder / "outcomes.parquet"
    start_s = int(time.time()) - _SPAN_S - 86_400
    with parquet.ParquetWriter(outcomes, _table(rng, lists, 1, 0, start_s).schema) as writer:
        for first in range(0, rows, _GROUP):
            count = min(_GROUP, rows - first)
            writer.write_table(_table(rng, lists, rows, first, start_s, count))
    return products, outcomes


def _table(
    rng: np.random.Generator, lists: np.ndarray, rows: int, first: int, start_s: int, count: int = 1
) -> pa.Table:
    product = rng.integers(0, _PRODUCTS, count)
    reference = lists[product] / 100
    price = np.round(reference * rng.choice(_RATIOS, count), 2)
    at_s = start_s + (np.arange(first, first + count) * (_SPAN_S / rows)).astype(np.int64)
    shopper = rng.integers(0, max(1, round(rows / _OFFERS_EACH)), count)
    return pa.table(
        {
            "shopper_id": [f"s{one}" for one in shopper.tolist()],
            "product_id": [f"p{one}" for one in product.tolist()],
            "price": price,
            "reference_price": reference,
            "bought": (rng.random(count) < _BOUGHT).astype(np.int64),
            "at": pa.array(at_s * 1_000_000, pa.timestamp("us", "UTC")),
            "context.channel": np.where(rng.random(count) < 0.5, "app", "web"),
        }
    )


def measure(code: Path, models: Path, files: tuple[Path, Path], rows: int) -> Measured:
    """Import the files with the code of one folder into a fresh data folder."""
    with tempfile.TemporaryDirectory(dir=files[0].parent) as root:
        data = Path(root) / "data"
        shutil.copytree(models, data / "models", copy_function=os.link)
        products, outcomes = files
        _run(code, data, "import", "products", str(products), "--currency", "USD", "--json")
        began, before = time.perf_counter(), os.times()
        answer, peak_kib = _run(code, data, "import", "outcomes", str(outcomes), "--currency", "USD", "--json")
        after = os.times()
        cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
        return Measured(str(code), rows, time.perf_counter() - began, cpu_s, peak_kib / 1024, json.loads(answer))


def _run(code: Path, data: Path, *command: str) -> tuple[str, int]:
    """Run a command of Pricesmith; returns its standard output and its peak resident memory in KiB."""
    environment = {**os.environ, "PYTHONPATH": str(code), "PRICESMITH_DATA_DIR": str(data)}
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen([sys.executable, "-m", "agent.cli", *command], cwd=code, env=environment, stdout=out)  # noqa: S603
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        if process.returncode:
            raise SystemExit(f"{' '.join(command[:2])} ended with {process.returncode}: {out.read()[:2_000]}")
        return out.read(), used.ru_maxrss


def _measured(arguments: argparse.Namespace) -> Iterator[Measured]:
    with tempfile.TemporaryDirectory(dir=arguments.work) as folder:
        files = write_files(Path(folder), arguments.rows)
        for _ in range(arguments.rounds):
            for code in arguments.code:
                yield measure(code.resolve(), arguments.models.resolve(), files, arguments.rows)


def main() -> None:
    """Measure and print one line of JSON an import."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000, help="outcomes in the file")
    parser.add_argument("--rounds", type=int, default=1, help="imports with each code folder")
    parser.add_argument("--code", type=Path, action="append", help="repository to measure, repeatable; default: here")
    parser.add_argument("--models", type=Path, required=True, help="folder `models` of a prepared data folder")
    parser.add_argument("--work", type=Path, help="folder for files and databases; default: the system's for such")
    arguments = parser.parse_args()
    arguments.code = arguments.code or [Path.cwd()]
    for one in _measured(arguments):
        print(json.dumps({**asdict(one), "rows_a_s": round(one.rows / one.wall_s)}), flush=True)


if __name__ == "__main__":
    main()
