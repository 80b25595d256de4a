"""`make soak`: an hour at 70 % of measured capacity: no errors, memory flat, p99 under four times p50.

Capacity is measured first, with as many clients as the server batches, once the server has been busy for minutes: it
has met the shoppers by then and knows most of the prompts, as it does in the hour. Measured before, capacity comes out
lower than what the hour really has, and 70 % of it is little. Then requests arrive at 70 % of it, evenly, each at its
time whatever became of those before (an open loop: a slow answer does not slow the load down, so that waiting shows).
Of four quotes one is followed by its outcome, a purchase as often as the quote itself expects, and one by another look
at the product: outcomes of a shop unlike the models' would have them learn all along what no shop does. No stretch
repeats the requests of another. The first tenth warms up and counts for nothing but errors, which count in all
stretches.

    python -m eval.chaos.soak --minutes 60
"""

import argparse
import secrets
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
import psutil

from agent.assembly import open_store
from agent.commands.output import ProgressFn, progress_bar
from agent.settings import Settings
from eval.chaos.report import print_report
from eval.chaos.world import prepared_world
from eval.serving import CommandServer, free_port, wait_ready

SHARE: Final = 0.7
CLIENTS: Final = 16
MAX_GROWTH: Final = 0.05
MAX_SPREAD: Final = 4.0
_BUSY_S: Final = 300.0
_CAPACITY_S: Final = 30.0
_WARM_UP: Final = 0.1
_PAIRS: Final = 100_000  # of each stretch
_MEMORY_EVERY_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class SoakReport:
    """What a run found; `failed` names the promises that were not kept, `hour` whether it was as long as promised.

    `worst_minute` is when the minute with the highest p99 began, in minutes from the start; `rungs` are the shares of
    answers by rung of the deadline ladder, which says how far the service went down it to keep its deadline.
    """

    minutes: float
    hour: bool
    capacity_per_s: float
    asked_per_s: float
    answered: int
    errors: int
    p50_ms: float
    p99_ms: float
    worst_minute: float
    worst_minute_p99_ms: float
    memory_start_mib: float
    memory_end_mib: float
    memory_growth: float
    rungs: dict[str, float]
    failed: list[str]


class _Shots:
    """Requests sent and what became of them."""

    def __init__(self, url: str, key: str, pairs: Sequence[tuple[str, str]]) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        limits = httpx.Limits(max_connections=256, max_keepalive_connections=256)
        self.http = httpx.Client(base_url=url, headers=headers, timeout=60, limits=limits)
        self.latencies: list[tuple[float, float]] = []  # when it was due, how long the answer took from then
        self.errors = 0
        self.rungs: Counter[str] = Counter()
        self._pairs = pairs
        self._sent = 0
        self._rng = np.random.default_rng(11)
        self._lock = threading.Lock()

    def fire(self, due: float) -> None:
        """One quote and what follows it."""
        with self._lock:
            self._sent += 1
            number, luck = self._sent, float(self._rng.random())
        shopper, product = self._pairs[number % len(self._pairs)]
        try:
            answer = self.http.post("/v1/quotes", json={"shopper": {"id": shopper}, "product": {"id": product}})
            ok = answer.status_code == 200
            took = time.perf_counter() - due
            quote = answer.json() if ok else {}
            if ok and number % 4 == 0:
                told = {"quote_id": quote["id"], "type": "purchased" if luck < _expected(quote) else "declined"}
                ok = self.http.post("/v1/outcomes", json=told).status_code == 200
            elif ok and number % 4 == 2:
                look = {"shopper_id": shopper, "type": "view", "product_id": product}
                ok = self.http.post("/v1/events", json=look).status_code == 200
        except httpx.HTTPError:
            ok, took, quote = False, time.perf_counter() - due, {}
        with self._lock:
            if quote:
                self.rungs[quote["rung"]] += 1
            self.latencies.append((due, took))
            self.errors += not ok


def _expected(quote: Mapping[str, Any]) -> float:
    """The probability of a purchase that a quote told of its price."""
    scores = quote["scores"]
    return 0.0 if scores is None else float(scores["purchase_probability"]["value"])


def measure_capacity(shots: _Shots, seconds: float) -> float:
    """Quotes a second that a closed loop of `CLIENTS` clients gets."""
    until = time.perf_counter() + seconds

    def client() -> None:
        while (now := time.perf_counter()) < until:
            shots.fire(now)

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(shots.latencies) / seconds


def soak(shots: _Shots, pid: int, per_s: float, seconds: float, progress: ProgressFn) -> list[tuple[float, float]]:
    """Send at a rate; returns resident memory `(moment, bytes)` over the run."""
    process, memory, began = psutil.Process(pid), [], time.perf_counter()
    with ThreadPoolExecutor(128) as pool:
        next_look = began
        for number in range(int(seconds * per_s)):
            due = began + number / per_s
            if (wait_s := due - time.perf_counter()) > 0:
                time.sleep(wait_s)
            pool.submit(shots.fire, due)
            if time.perf_counter() >= next_look:
                next_look += _MEMORY_EVERY_S
                memory.append((time.perf_counter(), _resident(process)))
                progress("soak", number / (seconds * per_s))
    return memory


def judge(
    shots: _Shots, memory: Sequence[tuple[float, float]], minutes: float, rates: tuple[float, float]
) -> SoakReport:
    """Figures, and which promises were not kept."""
    began, ended = memory[0][0], memory[-1][0]
    warm = began + _WARM_UP * (ended - began)
    counted = [(due, took) for due, took in shots.latencies if due >= warm]
    p50, p99 = (float(np.percentile([took for _, took in counted], q)) * 1e3 for q in (50, 99))
    slowest, slowest_p99 = _worst_minute(counted)
    behind = [size for at, size in memory if at >= warm]
    tenth = max(1, len(behind) // 10)
    first, last = float(np.median(behind[:tenth])), float(np.median(behind[-tenth:]))
    growth = last / first - 1
    failed = [
        name
        for name, bad in (
            ("errors", shots.errors > 0),
            ("memory", growth > MAX_GROWTH),
            ("p99", p99 >= MAX_SPREAD * p50),
        )
        if bad
    ]
    return SoakReport(
        minutes=minutes,
        hour=minutes >= 60,
        capacity_per_s=round(rates[0], 2),
        asked_per_s=round(rates[1], 2),
        answered=len(shots.latencies),
        errors=shots.errors,
        p50_ms=round(p50, 1),
        p99_ms=round(p99, 1),
        worst_minute=round((slowest - began) / 60, 1),
        worst_minute_p99_ms=round(slowest_p99 * 1e3, 1),
        memory_start_mib=round(first / 2**20, 1),
        memory_end_mib=round(last / 2**20, 1),
        memory_growth=round(growth, 4),
        rungs={rung: round(count / shots.rungs.total(), 4) for rung, count in shots.rungs.most_common()},
        failed=failed,
    )


def _worst_minute(latencies: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """When the minute with the highest p99 began, and that p99 in seconds: one stall or a slow hour?"""
    first = min(due for due, _ in latencies)
    by_minute: dict[int, list[float]] = {}
    for due, took in latencies:
        by_minute.setdefault(int((due - first) // 60), []).append(took)
    minute, p99 = max(((at, float(np.percentile(t, 99))) for at, t in by_minute.items()), key=lambda one: one[1])
    return first + 60 * minute, p99


def main() -> int:
    """Run, print, exit 1 when a promise was not kept."""
    parser = argparse.ArgumentParser(prog="python -m eval.chaos.soak", description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--world", type=Path, help="a prepared data folder to copy; without one a small one is made")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pricesmith-soak-") as folder, progress_bar(quiet=False) as progress:
        settings = Settings(data_dir=Path(folder) / "data")
        prepared_world(settings, options.world, progress)
        with open_store(settings) as store:
            products = [product.product_id for product in islice(store.iter_products(), 500)]
            shoppers = list(islice(store.shopper_ids(), 500))
        rng = np.random.default_rng(7)
        stretches = [
            list(zip(rng.choice(shoppers, _PAIRS).tolist(), rng.choice(products, _PAIRS).tolist(), strict=True))
            for _ in range(3)
        ]
        key, port = secrets.token_urlsafe(24), free_port()
        url = f"http://127.0.0.1:{port}"
        server = CommandServer(settings.data_dir, port, {"PRICESMITH_BOOTSTRAP_KEY": key})
        try:
            wait_ready(server, url)
            busy, measured, shots = (_Shots(url, key, pairs) for pairs in stretches)
            progress(f"busy for {_BUSY_S / 60:.0f} minutes", 0.0)
            measure_capacity(busy, _BUSY_S)
            capacity = measure_capacity(measured, _CAPACITY_S)
            memory = soak(shots, server.pid, SHARE * capacity, options.minutes * 60, progress)
            shots.errors += busy.errors + measured.errors
        finally:
            server.stop()
        report = judge(shots, memory, options.minutes, (capacity, SHARE * capacity))
    print_report(report, options.json)
    return 1 if report.failed else 0


def _resident(process: psutil.Process) -> float:
    return float(sum(one.memory_info().rss for one in (process, *process.children(recursive=True))))


if __name__ == "__main__":
    sys.exit(main())
