"""`make soak`: an hour at 70 % of measured capacity: no errors, memory flat, p99 under four times p50.

Capacity is measured with as many clients as the server batches, once the server has been busy for minutes: it has met
the shoppers by then and knows most of the prompts. It is measured again every ten minutes, since a server that gets to
know its prompts answers ever more, and since machines change their speed: 70 % of what it could answer at the start is
soon little. In between requests arrive at 70 % of it, evenly, each at its time whatever became of those before (an open
loop: a slow answer does not slow the load down, so that waiting shows). Of four quotes one is followed by its outcome,
a purchase as often as the quote itself expects, and one by another look at the product: outcomes of a shop unlike the
models' would have them learn all along what no shop does. What is sent to be busy, to measure and in between differs.
The first tenth of the hour warms up and counts for nothing but errors, which count everywhere.

Whoever measures must not pause: this process takes short turns between its threads and walks through nothing that it
keeps. How late it was in sending is told.

    python -m eval.chaos.soak --minutes 60
"""

import argparse
import gc
import secrets
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
import psutil

from agent.cli.output import progress_bar
from agent.service.gc_tuning import tune_for_requests
from agent.service.opening import open_store
from agent.service.settings import Settings
from eval.chaos.report import print_report
from eval.chaos.soak_report import Answer, Look, Run, judge, minute_of
from eval.chaos.world import prepared_world
from eval.serving import CommandServer, free_port, stop_on_sigterm, wait_ready
from models.progress import Progress

SHARE: Final = 0.7
CLIENTS: Final = 16
_BUSY_S: Final = 300.0
_CAPACITY_S: Final = 30.0
_STRETCH_S: Final = 600.0
_PAIRS: Final = 100_000  # of each kind of load
_LOOK_EVERY_S: Final = 2.0


class _Shots:
    """Requests sent and what became of them."""

    def __init__(self, url: str, key: str, pairs: Sequence[tuple[str, str]]) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        limits = httpx.Limits(max_connections=256, max_keepalive_connections=256)
        self.http = httpx.Client(base_url=url, headers=headers, timeout=60, limits=limits)
        self.answers: list[Answer] = []
        self.errors = 0
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
        late = time.perf_counter() - due
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
            self.answers.append(Answer(due, took, quote.get("rung"), late))
            self.errors += not ok

    def since(self, count: int) -> list[Answer]:
        """Answers that came after the first so many."""
        with self._lock:
            return self.answers[count:]


def _expected(quote: Mapping[str, Any]) -> float:
    """The probability of a purchase that a quote told of its price."""
    scores = quote["scores"]
    return 0.0 if scores is None else float(scores["purchase_probability"]["value"])


def measure_capacity(shots: _Shots, seconds: float) -> float:
    """Quotes a second that a closed loop of `CLIENTS` clients gets."""
    until, before = time.perf_counter() + seconds, len(shots.answers)

    def client() -> None:
        while (now := time.perf_counter()) < until:
            shots.fire(now)

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return (len(shots.answers) - before) / seconds


class _Watch:
    """Looks at a server over a run and tells each minute as it ends."""

    def __init__(self, pid: int, shots: _Shots, seconds: float, progress: Progress) -> None:
        self._server, self._shots, self._seconds, self._progress = _processes(pid), shots, seconds, progress
        self.looks = [_look(self._server)]
        self._minute, self._minutes, self._told = self.looks[0], 0, 0

    def look(self) -> None:
        """Look again if it is time."""
        began, last = self.looks[0].at, self.looks[-1].at
        if time.perf_counter() < last + _LOOK_EVERY_S:
            return
        self.looks.append(now := _look(self._server))
        if now.at < began + 60 * (self._minutes + 1):
            return
        self._minutes += 1
        if answers := self._shots.since(self._told):
            told = minute_of(self._minutes, answers, self._minute, now)
            self._progress(f"soak: {told}", min(1.0, (now.at - began) / self._seconds))
        self._told += len(answers)
        self._minute = now
        gc.freeze()  # the answers so far are kept: no collection has to walk through them


def ask(shots: _Shots, per_s: float, seconds: float, watch: _Watch) -> None:
    """Send at a rate, and look meanwhile."""
    began = time.perf_counter()
    with ThreadPoolExecutor(128) as pool:
        for number in range(int(seconds * per_s)):
            due = began + number / per_s
            if (wait_s := due - time.perf_counter()) > 0:
                time.sleep(wait_s)
            pool.submit(shots.fire, due)
            watch.look()


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
        kinds = [
            list(zip(rng.choice(shoppers, _PAIRS).tolist(), rng.choice(products, _PAIRS).tolist(), strict=True))
            for _ in range(3)
        ]
        key, port = secrets.token_urlsafe(24), free_port()
        url = f"http://127.0.0.1:{port}"
        server = CommandServer(settings.data_dir, port, {"PRICESMITH_BOOTSTRAP_KEY": key})
        try:
            wait_ready(server, url)
            busy, measured, shots = (_Shots(url, key, pairs) for pairs in kinds)
            progress(f"busy for {_BUSY_S / 60:.0f} minutes", 0.0)
            tune_for_requests()
            measure_capacity(busy, _BUSY_S)
            watch, capacities = _Watch(server.pid, shots, options.minutes * 60, progress), []
            for stretch_s in _stretches(options.minutes * 60):
                capacities.append(measure_capacity(measured, _CAPACITY_S))
                ask(shots, SHARE * capacities[-1], stretch_s, watch)
        finally:
            server.stop()
        errors = sum(one.errors for one in (busy, measured, shots))
        run = Run(options.minutes, psutil.cpu_count() or 1, capacities, SHARE, shots.answers, watch.looks, errors)
        report = judge(run)
    print_report(report, options.json)
    return 1 if report.failed else 0


def _stretches(seconds: float) -> list[float]:
    """Ten minutes each, the last one what is left."""
    whole, left = divmod(seconds, _STRETCH_S)
    return [_STRETCH_S] * int(whole) + ([left] if left else [])


def _processes(pid: int) -> list[psutil.Process]:
    server = psutil.Process(pid)
    return [server, *server.children(recursive=True)]


def _look(server: Sequence[psutil.Process]) -> Look:
    resident = sum(process.memory_info().rss for process in server)
    return Look(time.perf_counter(), float(resident), getattr(psutil.cpu_times(), "steal", 0.0))


if __name__ == "__main__":
    stop_on_sigterm()
    sys.exit(main())
