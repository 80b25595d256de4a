"""`make bench`: latency, throughput, time per step and memory of uncached quotes over HTTP; scoring; learning.

Starts a server on a free loopback port over a prepared data folder, requests quotes for new shopper and product pairs
(so that nothing is cached), first from one client, then from sixteen, and stops the server.
"""

import argparse
import json
import os
import secrets
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
import psutil

from agent.service.opening import open_store
from agent.service.settings import Settings
from agent.store.data_folder import DataFolder
from eval.bench.learning import Learning, measure_learning
from eval.bench.scoring import Scoring, measure_scoring
from eval.serving import CommandServer, Server, free_port, wait_ready

_CLIENTS: Final = 16
_WARM_UP: Final = 10


@dataclass(frozen=True, slots=True)
class Load:
    """Results of one load; times in milliseconds, throughput in quotes per second."""

    clients: int
    quotes: int
    errors: int
    p50_ms: float
    p99_ms: float
    throughput: float
    rungs: dict[str, int]
    step_ms: dict[str, float]


@dataclass(frozen=True, slots=True)
class Report:
    """Results of one benchmark run."""

    start_s: float
    one_client: Load
    many_clients: Load
    scoring: Scoring
    learning: Learning
    resident_gib: float
    cores: int


def main() -> int:
    """Run the benchmark, print the results and optionally write them as JSON; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m eval.bench", description=__doc__)
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument("--quotes", type=int, default=200, help="quotes from one client, and from sixteen")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    pairs = list(_pairs(options.data_dir, 2 * options.quotes + _WARM_UP))
    with _server(options.data_dir) as (url, key, process, start_s):
        _run(url, key, pairs[:_WARM_UP], 1)
        one = _run(url, key, pairs[_WARM_UP : _WARM_UP + options.quotes], 1)
        many = _run(url, key, pairs[_WARM_UP + options.quotes :], _CLIENTS)
        resident = _resident(process)
    scoring = measure_scoring(options.data_dir)
    learning = measure_learning(DataFolder(options.data_dir).models)
    report = Report(round(start_s, 1), one, many, scoring, learning, round(resident / 2**30, 2), os.cpu_count() or 1)
    if options.json:
        options.json.write_text(json.dumps(asdict(report), indent=1) + "\n", "utf-8")
    _print(report)
    return 1 if one.errors or many.errors else 0


def _pairs(data_dir: Path, count: int) -> Iterator[tuple[str, str]]:
    """Yield distinct shopper and product pairs of the store in a fixed shuffled order."""
    rng = np.random.default_rng(11)
    with open_store(Settings(data_dir=data_dir)) as store:
        shoppers = list(store.shopper_ids())
        products = [product.product_id for product in islice(store.iter_products(), 5_000)]
    for index in range(count):
        yield shoppers[(index * 37) % len(shoppers)], products[int(rng.integers(len(products)))]


@contextmanager
def _server(data_dir: Path) -> Iterator[tuple[str, str, Server, float]]:
    key, port = secrets.token_urlsafe(24), free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {"PRICESMITH_BOOTSTRAP_KEY": key, "PRICESMITH_DEFAULT_DEADLINE_MS": "30000"}
    server = CommandServer(data_dir, port, environment)
    try:
        yield url, key, server, wait_ready(server, url)
    finally:
        server.stop()


def _run(url: str, key: str, pairs: Sequence[tuple[str, str]], clients: int) -> Load:
    latencies: list[float] = []
    steps: dict[str, list[float]] = defaultdict(list)
    rungs: dict[str, int] = defaultdict(int)
    errors = 0
    lock = threading.Lock()
    queue = iter(pairs)

    def client() -> None:
        nonlocal errors
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60) as http:
            while True:
                with lock:
                    pair = next(queue, None)
                if pair is None:
                    return
                began = time.perf_counter()
                answer = http.post("/v1/quotes", json={"shopper": {"id": pair[0]}, "product": {"id": pair[1]}})
                took = (time.perf_counter() - began) * 1e3
                with lock:
                    latencies.append(took)
                    if not answer.is_success:
                        errors += 1
                        continue
                    body: dict[str, Any] = answer.json()
                    rungs[body["rung"]] += 1
                    for step, spent in body["timing_ms"].items():
                        steps[step].append(spent)

    began = time.perf_counter()
    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    return Load(
        clients=clients,
        quotes=len(pairs),
        errors=errors,
        p50_ms=round(float(np.percentile(latencies, 50)), 1),
        p99_ms=round(float(np.percentile(latencies, 99)), 1),
        throughput=round(len(pairs) / seconds, 1),
        rungs=dict(rungs),
        step_ms={step: round(float(np.mean(spent)), 2) for step, spent in steps.items()},
    )


def _resident(server: Server) -> int:
    parent = psutil.Process(server.pid)
    return sum(int(one.memory_info().rss) for one in (parent, *parent.children(recursive=True)))


def _print(report: Report) -> None:
    lines = [f"{report.cores} cores, ready after {report.start_s} s, resident {report.resident_gib} GiB"]
    for load in (report.one_client, report.many_clients):
        lines.append(
            f"{load.clients:>2} clients  {load.quotes} quotes  {load.errors} errors  p50 {load.p50_ms} ms  "
            f"p99 {load.p99_ms} ms  {load.throughput} quotes/s  rungs {load.rungs}"
        )
        total = sum(load.step_ms.values()) or 1.0
        shares = "  ".join(f"{step} {spent:.1f} ms ({spent / total:.0%})" for step, spent in load.step_ms.items())
        lines.append(f"            {shares}")
    scoring = report.scoring
    lines.append(
        f"   score    {scoring.rows} rows  {scoring.cold} rows/s cold  {scoring.warm} rows/s with warm shopper states"
    )
    learning = report.learning
    lines.append(
        f"   learn    {learning.outcomes} outcomes  p50 {learning.p50_ms} ms  p99 {learning.p99_ms} ms (processor time)"
    )
    sys.stdout.write("\n".join(lines) + "\n")
