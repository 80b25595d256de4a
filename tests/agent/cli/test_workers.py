"""Two workers behind one port answer as one server."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import httpx
import psutil
import pytest

from agent.service.doctor.port import claim_port
from eval.serving import CommandServer, free_port, wait_ready
from tests.databases import empty_database
from tests.prepared import World

KEY: Final = "a-key-of-enough-letters"
WITHIN_S: Final = 10.0  # a second, metrics of the other worker, and the slowness of a busy machine
ROUNDS: Final = 24
"""New connections after which each of two workers has surely been asked."""

pytestmark = pytest.mark.slow  # a server with all models


@dataclass(frozen=True, slots=True)
class Pair:
    """A server of two workers."""

    server: CommandServer
    port: int
    world: World

    def call(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """Ask over a new connection, which may reach either worker."""
        headers = {"Authorization": f"Bearer {KEY}"}
        return httpx.request(method, f"http://127.0.0.1:{self.port}{path}", json=body, headers=headers, timeout=60)

    def quote(self, product: str, shopper: str | None = None) -> dict[str, Any]:
        asked = {"product": {"id": product}} | ({"shopper": {"id": shopper}} if shopper else {})
        answer = self.call("POST", "/v1/quotes?view=merchant", asked)
        assert answer.is_success, answer.text
        return dict(answer.json())

    def everywhere(self, holds: Callable[[], bool]) -> None:
        """Ask until all of many new connections see the same."""
        until = time.monotonic() + WITHIN_S
        while not all(holds() for _ in range(ROUNDS)):
            assert time.monotonic() < until, "not followed in time"

    def by_worker(self, metric: str) -> dict[str, float]:
        """Values of a metric, summed by worker."""
        found: dict[str, float] = {}
        for line in self.call("GET", "/metrics").text.splitlines():
            if line.startswith((f"{metric}{{", f"{metric} ")):
                worker = line.partition('worker="')[2].partition('"')[0]
                found[worker] = found.get(worker, 0.0) + float(line.rpartition(" ")[2])
        return found

    def workers(self) -> list[psutil.Process]:
        return psutil.Process(self.server.pid).children()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def pair(request: pytest.FixtureRequest, world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    own, port = world.copy(tmp_path_factory.mktemp("workers") / "data"), free_port()
    environment = {"PRICESMITH_BOOTSTRAP_KEY": KEY, "PRICESMITH_WORKERS": "2", "PRICESMITH_LANGUAGE_MODEL": "0"}
    environment["PRICESMITH_DEFAULT_DEADLINE_MS"] = "30000"
    with ExitStack() as ends:
        if request.param == "postgresql":
            url = ends.enter_context(empty_database(request.getfixturevalue("postgres_socket")))
            environment["PRICESMITH_DATABASE_URL"] = url
            own = moved(own, url)
        server = CommandServer(own.folder, port, environment, own.folder / "serve.log")
        ends.callback(server.kill)
        wait_ready(server, f"http://127.0.0.1:{port}")
        yield Pair(server, port, own)


def moved(world: World, database_url: str) -> World:
    """A world whose store lies in another database, empty until now."""
    folder, file = world.folder.parent / "moved", world.folder.parent / "store.tar"
    for command, settings in (
        (["backup", str(file), "--data-dir", str(world.folder)], {}),
        (["restore", str(file), "--data-dir", str(folder)], {"PRICESMITH_DATABASE_URL": database_url}),
    ):
        environment = {**os.environ, **settings}
        subprocess.run([sys.executable, "-m", "agent.cli", *command], env=environment, check=True)  # noqa: S603 - ours
    return replace(world, folder=folder)


def test_one_shopper_gets_one_price_from_both(pair: Pair) -> None:
    until = time.monotonic() + WITHIN_S
    while len(pair.by_worker("pricesmith_lessons")) < 2:  # the second one starts
        assert time.monotonic() < until
        time.sleep(0.1)
    with ThreadPoolExecutor(16) as clients:
        found = list(clients.map(lambda _: pair.quote(pair.world.bought, pair.world.shopper), range(64)))
    assert len({one["price"]["amount_minor"] for one in found}) == 1
    time.sleep(2.5)
    assert min(pair.by_worker("pricesmith_requests_total").values()) > 2


def test_an_outcome_told_to_one_is_learned_by_both(pair: Pair) -> None:
    quote = pair.quote(pair.world.never_bought, pair.world.shopper)
    before = pair.by_worker("pricesmith_lessons")
    assert pair.call("POST", "/v1/outcomes", {"quote_id": quote["id"], "type": "purchased", "quantity": 1}).is_success
    until = time.monotonic() + WITHIN_S
    while pair.by_worker("pricesmith_lessons") != {worker: lessons + 1 for worker, lessons in before.items()}:
        assert time.monotonic() < until, (before, pair.by_worker("pricesmith_lessons"))
        time.sleep(0.2)
    pair.everywhere(lambda: pair.quote(pair.world.never_bought, pair.world.shopper)["id"] != quote["id"])


def test_a_product_put_by_one_is_priced_by_both(pair: Pair) -> None:
    def put(amount: int) -> None:
        money = {"amount_minor": amount, "currency": "USD"}
        cost = {"amount_minor": amount // 2, "currency": "USD"}
        body = [{"id": "TWIN", "title": "Kettle", "category": "kitchen", "list_price": money, "cost": cost}]
        assert pair.call("PUT", "/v1/products", body).is_success

    put(10_000)
    pair.everywhere(lambda: pair.call("POST", "/v1/quotes", {"product": {"id": "TWIN"}}).is_success)
    put(20_000)
    pair.everywhere(lambda: pair.quote("TWIN")["reference_price"]["amount_minor"] == 20_000)


def test_the_kill_switch_holds_both(pair: Pair) -> None:
    def held() -> bool:
        quote = pair.quote(pair.world.bought, "a-new-shopper")
        return bool(
            quote["price"] == quote["reference_price"] and any(s["rule"] == "kill_switch" for s in quote["trail"])
        )

    assert pair.call("POST", "/v1/rules/kill-switch", {"on": True}).is_success
    pair.everywhere(held)
    assert pair.call("POST", "/v1/rules/kill-switch", {"on": False}).is_success
    pair.everywhere(lambda: not held())


def test_an_erased_shopper_is_known_to_neither(pair: Pair) -> None:
    event = {"shopper_id": "gone", "type": "view", "product_id": pair.world.bought}
    assert pair.call("POST", "/v1/events", [event]).is_success
    pair.everywhere(lambda: bool(pair.quote(pair.world.bought, "gone")))
    assert pair.call("DELETE", "/v1/shoppers/gone").is_success
    pair.everywhere(lambda: pair.call("GET", "/v1/shoppers/gone").status_code == 404)


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="Linux tells what processes share")
def test_the_second_adds_less_than_300_mib(pair: Pair) -> None:
    for worker in pair.workers():
        memory = worker.memory_full_info()
        assert memory.uss < 300 * 2**20


def test_a_worker_that_dies_is_started_again_while_the_other_answers(pair: Pair) -> None:
    died, other = pair.workers()
    os.kill(died.pid, signal.SIGKILL)
    until = time.monotonic() + 60
    while len(pair.workers()) < 2 or died.pid in {one.pid for one in pair.workers()}:
        assert time.monotonic() < until
        time.sleep(0.1)
    assert other.is_running()
    assert claim_port("127.0.0.1", pair.port) is None
    pair.everywhere(lambda: bool(pair.quote(pair.world.bought)))
    pair.everywhere(lambda: pair.quote("TWIN")["reference_price"]["amount_minor"] == 20_000)  # put after the fork
    while len(pair.by_worker("pricesmith_lessons")) < 2:
        assert time.monotonic() < until
        time.sleep(0.2)


def test_all_end_together(pair: Pair) -> None:
    workers = pair.workers()
    pair.server.stop()
    assert not [one for one in workers if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    assert "crash loop" not in (pair.world.folder / "serve.log").read_text()
