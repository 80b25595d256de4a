"""`make soak`: an hour at 70 % of measured capacity: no errors, constant memory, p99 below four times p50.

Capacity is measured by a closed loop of as many clients as the server batches, after minutes of load have filled the
caches, and again every ten minutes, since caches keep filling and machines change their speed. In between, requests
arrive evenly at 70 % of capacity in an open loop: each is sent at its due time, so that slow responses do not lower the
load. One quote in four is followed by its outcome, a purchase with the predicted probability (other outcomes would make
the models learn an unrealistic shop), and one in four by a product view. Warm-up, measurement and load use different
shoppers and products. The first tenth of the hour is warm-up and counts only for errors.

The load generator must not pause: it tunes garbage collection and thread switching as the service does, and reports how
late it sent.

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
from agent.service.opening import open_store
from agent.service.process_tuning import tune_for_requests
from agent.service.settings import Settings
from eval.chaos.report import print_report
from eval.chaos.soak_report import Answer, MachineState, Run, evaluate_run, minute_of
from eval.chaos.world import prepared_world
from eval.serving import CommandServer, free_port, stop_on_sigterm, wait_ready
from models.progress import Progress

SHARE: Final = 0.7
CLIENTS: Final = 16
_BUSY_S: Final = 300.0
_CAPACITY_S: Final = 30.0
_STRETCH_S: Final = 600.0
_PAIRS: Final = 100_000  # of each kind of load
_SAMPLE_EVERY_S: Final = 2.0


class _RequestSender:
    """Sends requests and records the responses."""

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

    def send(self, due: float) -> None:
        """Send one quote request and its follow-up."""
        with self._lock:
            self._sent += 1
            number, luck = self._sent, float(self._rng.random())
        shopper, product = self._pairs[number % len(self._pairs)]
        late = time.perf_counter() - due
        try:
            answer = self.http.post("/v1/quotes", json={"shopper": {"id": shopper}, "product": {"id": product}})
            ok = answer.is_success
            took = time.perf_counter() - due
            quote = answer.json() if ok else {}
            if ok and number % 4 == 0:
                outcome = {"quote_id": quote["id"], "type": "purchased" if luck < _expected(quote) else "declined"}
                ok = self.http.post("/v1/outcomes", json=outcome).is_success
            elif ok and number % 4 == 2:
                view = {"shopper_id": shopper, "type": "view", "product_id": product}
                ok = self.http.post("/v1/events", json=view).is_success
        except httpx.HTTPError:
            ok, took, quote = False, time.perf_counter() - due, {}
        with self._lock:
            self.answers.append(Answer(due, took, quote.get("rung"), late))
            self.errors += not ok

    def since(self, count: int) -> list[Answer]:
        """Responses after the first `count`."""
        with self._lock:
            return self.answers[count:]


def _expected(quote: Mapping[str, Any]) -> float:
    """Purchase probability predicted in a quote, 0 if it has no scores."""
    scores = quote["scores"]
    return 0.0 if scores is None else float(scores["purchase_probability"]["value"])


def measure_capacity(sender: _RequestSender, seconds: float) -> float:
    """Measure the throughput of a closed loop of `CLIENTS` clients, in quotes per second."""
    until, before = time.perf_counter() + seconds, len(sender.answers)

    def client() -> None:
        while (now := time.perf_counter()) < until:
            sender.send(now)

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return (len(sender.answers) - before) / seconds


class _Monitor:
    """Samples the server's state during a run and reports each minute as it ends."""

    def __init__(self, pid: int, sender: _RequestSender, seconds: float, progress: Progress) -> None:
        self._server, self._sender, self._seconds, self._progress = _processes(pid), sender, seconds, progress
        self.states = [_machine_state(self._server)]
        self._minute, self._minutes, self._reported = self.states[0], 0, 0

    def sample(self) -> None:
        """Sample the state if two seconds have passed since the last sample."""
        began, last = self.states[0].at, self.states[-1].at
        if time.perf_counter() < last + _SAMPLE_EVERY_S:
            return
        self.states.append(now := _machine_state(self._server))
        if now.at < began + 60 * (self._minutes + 1):
            return
        self._minutes += 1
        if answers := self._sender.since(self._reported):
            minute = minute_of(self._minutes, answers, self._minute, now)
            self._progress(f"soak: {minute}", min(1.0, (now.at - began) / self._seconds))
        self._reported += len(answers)
        self._minute = now
        gc.freeze()  # excludes the responses so far from garbage collection, which would pause this process


def send_at_rate(sender: _RequestSender, per_s: float, seconds: float, monitor: _Monitor) -> None:
    """Send requests at a constant rate, sampling the server's state."""
    began = time.perf_counter()
    with ThreadPoolExecutor(128) as pool:
        for number in range(int(seconds * per_s)):
            due = began + number / per_s
            if (wait_s := due - time.perf_counter()) > 0:
                time.sleep(wait_s)
            pool.submit(sender.send, due)
            monitor.sample()


def main() -> int:
    """Run and print the report; returns exit code 1 if a condition failed."""
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
            busy, measured, sender = (_RequestSender(url, key, pairs) for pairs in kinds)
            progress(f"busy for {_BUSY_S / 60:.0f} minutes", 0.0)
            tune_for_requests()
            measure_capacity(busy, _BUSY_S)
            monitor, capacities = _Monitor(server.pid, sender, options.minutes * 60, progress), []
            for stretch_s in _stretches(options.minutes * 60):
                capacities.append(measure_capacity(measured, _CAPACITY_S))
                send_at_rate(sender, SHARE * capacities[-1], stretch_s, monitor)
        finally:
            server.stop()
        errors = sum(one.errors for one in (busy, measured, sender))
        run = Run(options.minutes, psutil.cpu_count() or 1, capacities, SHARE, sender.answers, monitor.states, errors)
        report = evaluate_run(run)
    print_report(report, options.json)
    return 1 if report.failed else 0


def _stretches(seconds: float) -> list[float]:
    """Split a duration into stretches of ten minutes and the rest."""
    whole, left = divmod(seconds, _STRETCH_S)
    return [_STRETCH_S] * int(whole) + ([left] if left else [])


def _processes(pid: int) -> list[psutil.Process]:
    server = psutil.Process(pid)
    return [server, *server.children(recursive=True)]


def _machine_state(server: Sequence[psutil.Process]) -> MachineState:
    resident = sum(process.memory_info().rss for process in server)
    return MachineState(time.perf_counter(), float(resident), getattr(psutil.cpu_times(), "steal", 0.0))


if __name__ == "__main__":
    stop_on_sigterm()
    sys.exit(main())
