"""Servers under test: processes on loopback over copies of a data folder, warmed, measured, held still in between."""

import os
import secrets
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import psutil

from agent.store.data_folder import DataFolder
from eval.bench.load import Target
from eval.bench.rows import Asked, Shop
from eval.serving import CommandServer, ProcessServer, Server, free_port, wait_ready

_START_S: Final = 600.0
_LINKED_BYTES: Final = 1_000_000  # larger model files never change and are linked
_QUIET_FRAC: Final = 0.1  # of one processor
_QUIET_S: Final = 4.0
_DEADLINE_MS: Final = 30_000
_WARM_QUOTES: Final = 100


@dataclass(frozen=True, slots=True)
class Tree:
    """A working tree to serve: this one where `root` is None, with so many worker processes."""

    name: str
    root: Path | None = None
    workers: int = 1


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of all processes of a server, MiB: resident, and unique to them (`uss`)."""

    rss_mib: float
    uss_mib: float
    processes: int


def copy_data(source: Path, target: Path) -> Path:
    """Copy a prepared data folder, the database as of one moment; returns the copy."""
    database = DataFolder(source).database
    if not database.is_file():
        raise SystemExit(f"{source} has no database; remedy: pricesmith prepare --demo --data-dir {source}")

    def copied(file: str, place: str) -> None:
        if os.path.getsize(file) > _LINKED_BYTES and "models" in Path(file).parts:
            with suppress(OSError):
                os.link(file, place)
                return
        shutil.copy2(file, place)

    ignored = shutil.ignore_patterns(f"{database.name}*", "spool", "eval")
    shutil.copytree(source, target, copy_function=copied, ignore=ignored)
    with (
        closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as read,
        closing(sqlite3.connect(target / database.name)) as write,
    ):
        read.backup(write)
    return target


class Subject:
    """One server under test."""

    def __init__(self, name: str, server: Server, url: str, key: str = "", view: str | None = None) -> None:
        """Measure `server`, which answers at `url`; `view` is what quotes are asked in."""
        self.name, self.url, self.key = name, url, key
        self.start_s = wait_ready(server, url, _START_S)
        self.warm_s = 0.0
        self._server = server
        self._view = "" if view is None else f"?view={view}"
        self._pages = True
        with self.client() as http:
            self._pages = http.post("/v1/pages", content=b"{}").status_code not in (404, 405)

    def client(self) -> httpx.Client:
        """A client with the server's API key."""
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=120)

    @property
    def page_path(self) -> str:
        """Path that pages are asked from: `/v1/pages`, or in trees without it the batch call."""
        return "/v1/pages" if self._pages else "/v1/quotes/batch"

    def path(self, asked: Sequence[Asked], view: str | None = None) -> str:
        """Path that answers some requests, in a view other than the usual one if given."""
        if not asked:
            return "/livez"
        return ("/v1/quotes" if len(asked[0].products) == 1 else self.page_path) + (
            self._view if view is None else f"?view={view}"
        )

    def target(self, asked: Sequence[Asked]) -> Target:
        """Target of some requests."""
        return Target(self.url + self.path(asked), self.key)

    def body(self, asked: Asked) -> dict[str, Any]:
        """The body of a request."""
        shared: dict[str, Any] = {"shopper": {"id": asked.shopper_id}}
        if len(asked.products) == 1:
            return {**shared, "product": {"id": asked.products[0]}}
        if self._pages:
            return {**shared, "products": asked.products}
        return {**shared, "items": [{"product": {"id": product}} for product in asked.products]}

    def warm_up(self, shop: Shop, settle_s: float) -> None:
        """Wait until the server is idle, quote all shoppers who are to be met, and wait again.

        Idle: its processes take less than a tenth of a processor, after what is worked out in the background, such as
        the memory of shoppers and the strategies of new situations.
        """
        began = time.perf_counter()
        self.settle(settle_s)
        with self.client() as http:
            for number in range(max(len(shop.met), _WARM_QUOTES)):
                shopper = shop.met[number % len(shop.met)]
                first = 7 * number % (len(shop.products) - 1)
                asked = Asked(shopper, (shop.products[-1 - first],))
                http.post(self.path([asked]), json=self.body(asked)).raise_for_status()
        self.settle(settle_s)
        self.warm_s = time.perf_counter() - began

    def settle(self, limit_s: float) -> None:
        """Wait until the server's processes are idle, at most `limit_s`."""
        until, quiet = time.perf_counter() + limit_s, 0.0
        while time.perf_counter() < until and quiet < _QUIET_S:
            before = self._cpu_s()
            time.sleep(1.0)
            quiet = quiet + 1.0 if self._cpu_s() - before < _QUIET_FRAC else 0.0

    def memory(self) -> Memory:
        """Memory of the server's processes."""
        full = [one.memory_full_info() for one in self._processes()]
        rss, uss = (sum(getattr(one, kind) for one in full) / 2**20 for kind in ("rss", "uss"))
        return Memory(round(rss, 1), round(uss, 1), len(full))

    @contextmanager
    def held_still(self) -> Iterator[None]:
        """Suspend the server, so that what it does in the background costs another one nothing."""
        processes = self._processes()
        for one in processes:
            with suppress(psutil.Error):
                one.suspend()
        try:
            yield
        finally:
            for one in reversed(processes):
                with suppress(psutil.Error):
                    one.resume()

    def stop(self) -> None:
        """Stop the server."""
        self._server.stop()

    def _processes(self) -> list[psutil.Process]:
        parent = psutil.Process(self._server.pid)
        return [parent, *parent.children(recursive=True)]

    def _cpu_s(self) -> float:
        spent = 0.0
        for one in self._processes():
            with suppress(psutil.Error):
                times = one.cpu_times()
                spent += times.user + times.system
        return spent


@contextmanager
def served(tree: Tree, data_dir: Path, view: str | None) -> Iterator[Subject]:
    """A running server of a working tree over a data folder, which it may change."""
    port, key = free_port(), secrets.token_urlsafe(24)
    environment = {"PRICESMITH_BOOTSTRAP_KEY": key, "PRICESMITH_DEFAULT_DEADLINE_MS": str(_DEADLINE_MS)}
    if tree.workers > 1:
        environment["PRICESMITH_WORKERS"] = str(tree.workers)
    server = CommandServer(data_dir.resolve(), port, environment, data_dir / "server.log", tree.root)
    try:
        yield Subject(tree.name, server, f"http://127.0.0.1:{port}", key, view)
    finally:
        server.stop()


@contextmanager
def bare_handler(view: str | None) -> Iterator[Subject]:
    """The bare Litestar application, running."""
    port = free_port()
    server = ProcessServer([sys.executable, "-m", "eval.bench.bare", "--port", str(port)], {})
    try:
        yield Subject("bare", server, f"http://127.0.0.1:{port}", view=view)
    finally:
        server.stop()


def commit_of(tree: Path) -> str:
    """Short hash of a working tree's commit, with `+` where files differ from it; empty outside a repository."""
    git = ["git", "-C", str(tree)]
    head = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)  # noqa: S603
    changed = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, check=False)  # noqa: S603
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "")
