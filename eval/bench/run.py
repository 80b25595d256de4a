"""`make bench`: quotes and pages over HTTP beside a bare handler, a naive pipeline and the commit before.

Starts `pricesmith serve` in a process of its own over a copy of a prepared data folder, waits until its background work
is done and the shoppers who are to be met have been quoted, then measures row after row, each in turn on every server
while the others are held still. Nothing leaves loopback.

    python -m eval.bench --data-dir demo --before ../tree-of-the-commit-before --json bench.json
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from agent.cli.output import print_table, progress_bar
from agent.service.opening import open_store
from agent.service.settings import Settings
from agent.store.data_folder import DataFolder
from eval.bench.figures import Load, RowFigures, row_figures
from eval.bench.learning import measure_learning
from eval.bench.load import LoadGenerator, Sending
from eval.bench.report import SubjectReport, document, further_lines, row_table
from eval.bench.rows import BARE_ROWS, NAIVE_ROWS, ROWS, Row, Shop, Turn
from eval.bench.samples import sample
from eval.bench.scoring import measure_scoring
from eval.bench.subjects import Subject, Tree, bare_handler, commit_of, copy_data, served
from eval.chaos.world import prepared_world
from models.progress import Progress

BASELINE: Final = Path(__file__).with_name("baseline.json")
QUICK_BASELINE: Final = Path(__file__).with_name("baseline-quick.json")
_HERE: Final = Path(__file__).parents[2]
_RESUMED_S: Final = 0.3
_NAIVE_REQUESTS: Final = 200
_PARTS: Final = ("bare", "naive", "scoring", "learning")


class Bench:
    """One run: its subjects, and what was measured of them."""

    def __init__(self, shop: Shop, turns: int, seconds: float, generator: LoadGenerator, progress: Progress) -> None:
        """Measure each row `turns` times for at most `seconds`."""
        self.shop, self.turns, self.seconds = shop, turns, seconds
        self.generator, self.progress = generator, progress
        self.loads: dict[tuple[str, str], Load] = {}

    def measure(self, subjects: Sequence[Subject], rows: Sequence[Row]) -> None:
        """Measure the rows in turn, A B A B."""
        steps = [(turn, row, one) for turn in range(self.turns) for row in rows for one in subjects]
        for number, (turn, row, subject) in enumerate(steps):
            if (subject.name == "bare" and row.name not in BARE_ROWS) or (
                subject.name == "workers" and row.clients == 1
            ):
                continue
            self.progress(f"turn {turn + 1}: {row.name} ({subject.name})", number / len(steps))
            with _still([one for one in subjects if one is not subject]):
                time.sleep(_RESUMED_S)
                load = self._one(subject, row, Turn(turn, self.turns + 1))
            key = subject.name, row.name
            self.loads[key] = self.loads[key].and_then(load) if key in self.loads else load

    def _one(self, subject: Subject, row: Row, turn: Turn) -> Load:
        asked = row.requests(self.shop, turn)
        bodies = [json.dumps(subject.body(one)) for one in asked] or [""] * row.clients
        if row.repeats and asked:
            with subject.client() as http:
                for one in asked:
                    http.post(subject.path(asked), json=subject.body(one)).raise_for_status()
        sending = Sending(row.clients, self.seconds, repeats=row.repeats, rows=row.quotes > 1)
        return self.generator.send(subject.target(asked), bodies, sending)

    def rows_of(self, name: str) -> dict[str, RowFigures]:
        """Figures of a subject, by row."""
        quotes = {row.name: row for row in ROWS}
        return {
            row: row_figures(load, quotes[row].clients, quotes[row].quotes or 1)
            for (subject, row), load in self.loads.items()
            if subject == name
        }


def main() -> int:
    """Measure, print tables, and write the document if asked to; returns 1 if a request failed."""
    options = _options()
    rows = [row for row in ROWS if not options.rows or row.name in options.rows]
    began = time.perf_counter()
    with (
        tempfile.TemporaryDirectory(prefix="pricesmith-bench-", dir=options.work) as work,
        progress_bar(quiet=False) as progress,
    ):
        folder, source = Path(work), options.data_dir
        if options.small is not None:
            source = folder / "small"
            prepared_world(Settings(data_dir=source), None, progress, options.small)
        trees = [Tree("this")]
        trees += [Tree("workers", workers=options.workers)] if options.workers > 1 else []
        trees += [Tree("before", options.before.resolve())] if options.before else []
        data = {tree.name: copy_data(source, folder / tree.name) for tree in trees}
        bench = Bench(_shop(data["this"]), options.turns, options.seconds, LoadGenerator(), progress)
        reports = _served(bench, rows, [(tree, data[tree.name]) for tree in trees], options)
        more = _beside(bench, data["this"], reports, options.without)
    shop = bench.shop
    run = {
        "at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "took_s": round(time.perf_counter() - began),
        "generator": bench.generator.name,
        "view": options.view,
        "workers": options.workers,
        "turns": options.turns,
        "seconds": options.seconds,
        "shoppers": len(shop.met) + len(shop.fresh) + len(shop.others),
        "products": len(shop.products),
    }
    found = document(reports, run, more, options.baseline)
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    print_table("quotes over HTTP", *row_table(found))
    sys.stdout.write("\n".join(further_lines(found)) + "\n")
    return 1 if any(row.errors for row in reports["this"].rows.values()) else 0


def _served(
    bench: Bench, rows: Sequence[Row], trees: Sequence[tuple[Tree, Path]], options: argparse.Namespace
) -> dict[str, SubjectReport]:
    """Start a server of each tree over its data, warm them one after another, and measure the rows."""
    with ExitStack() as stack:
        servers: list[Subject] = []
        reports: dict[str, SubjectReport] = {}
        for tree, data in trees:
            name, root = tree.name, tree.root or _HERE
            bench.progress(f"starting and warming: {name}", 0.0)
            with _still(servers):
                subject = stack.enter_context(served(tree, data, options.view))
                subject.warm_up(bench.shop, options.settle)
            servers.append(subject)
            reports[name] = SubjectReport(
                tree=root.name,
                commit=commit_of(root),
                start_s=round(subject.start_s, 1),
                warm_s=round(subject.warm_s, 1),
                memory_warm=subject.memory(),
            )
        peers = [stack.enter_context(bare_handler(options.view))] if "bare" not in options.without else []
        bench.measure([*servers, *peers], rows)
        for subject in servers:
            report = reports[subject.name]
            report.memory_end, report.rows = subject.memory(), bench.rows_of(subject.name)
            with _still([one for one in servers if one is not subject]):
                report.sampled = sample(subject, bench.shop, Turn(bench.turns, bench.turns + 1))
        if peers:
            reports["bare"] = SubjectReport(rows=bench.rows_of("bare"))
    return reports


def _beside(
    bench: Bench, data: Path, reports: dict[str, SubjectReport], without: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Measure what needs no server; adds the naive pipeline to the reports."""
    if "naive" not in without:
        bench.progress("naive pipeline", 0.0)
        reports["naive"] = SubjectReport(rows=_naive(bench, data))
    more = {}
    if "scoring" not in without:
        bench.progress("scoring at given prices", 0.0)
        more["scoring"] = asdict(measure_scoring(data))
    if "learning" not in without:
        bench.progress("learning", 0.0)
        more["learning"] = asdict(measure_learning(DataFolder(data).models))
    return more


@contextmanager
def _still(subjects: Sequence[Subject]) -> Iterator[None]:
    """Hold servers still."""
    with ExitStack() as stack:
        for subject in subjects:
            stack.enter_context(subject.held_still())
        yield


def _naive(bench: Bench, data: Path) -> dict[str, RowFigures]:
    """Rows of the naive pipeline, in a process of its own; the first request of each warms it."""
    turn = Turn(0, bench.turns + 1)
    asked = {
        row.name: [[(one.shopper_id, product) for product in one.products] for one in requests[:_NAIVE_REQUESTS]]
        for row in ROWS
        if row.name in NAIVE_ROWS and (requests := row.requests(bench.shop, turn))
    }
    file = data / "asked.json"
    file.write_text(json.dumps(asked), "utf-8")
    command = [sys.executable, "-m", "eval.bench.naive", "--data-dir", str(data), "--asked", str(file)]
    limit_s = max(20.0, 2 * bench.seconds)
    done = subprocess.run([*command, "--seconds", str(limit_s)], capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise SystemExit(f"the naive pipeline failed: {done.stderr.strip()[-1_000:]}")
    return {name: RowFigures(**figures) for name, figures in json.loads(done.stdout).items()}


def _shop(data_dir: Path) -> Shop:
    with open_store(Settings(data_dir=data_dir)) as store:
        return Shop.of(list(store.shopper_ids()), [product.product_id for product in store.iter_products()])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m eval.bench", description=__doc__.partition("\n")[0])
    parser.add_argument("--data-dir", type=Path, default=Path("demo"), help="prepared data folder; it is copied")
    parser.add_argument("--small", type=int, nargs="?", const=30, help="households of a demo store to make instead")
    parser.add_argument("--before", type=Path, help="working tree of the commit before, measured in turn")
    parser.add_argument(
        "--workers", type=int, default=0, help="measure rows of several clients with so many worker processes, too"
    )
    parser.add_argument("--seconds", type=float, default=8.0, help="longest duration of a row in one turn")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--settle", type=float, default=300.0, help="longest wait for background work, twice")
    parser.add_argument("--view", choices=("merchant", "shopper"), help="view of quotes; default: the key's")
    parser.add_argument("--rows", nargs="+", choices=[row.name for row in ROWS], help="measure these alone")
    parser.add_argument("--without", nargs="+", choices=_PARTS, default=[], help="parts to leave out")
    parser.add_argument("--quick", action="store_true", help="one turn of two seconds a row; no naive pipeline")
    parser.add_argument("--json", type=Path, help="write the document here")
    parser.add_argument(
        "--baseline", type=Path, nargs="?", const=Path(), help="document to compare with; default: shipped"
    )
    parser.add_argument("--work", type=Path, help="folder for copies of the data; default: the system's for such")
    options = parser.parse_args()
    if options.quick:
        options.turns, options.seconds, options.settle = 1, 2.0, min(options.settle, 30.0)
        options.without = ["naive", "scoring", "learning"]
    if options.baseline == Path():
        shipped = QUICK_BASELINE if options.quick else BASELINE
        options.baseline = shipped if shipped.exists() else None
    return options
