"""Load generator for machines without wrk, in a process of its own; its output is that of `replay.lua`.

python -m eval.bench.client --url URL --bodies FILE --clients 16 --seconds 8
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import httpcore


class Client:
    """One connection that sends its share of the bodies, one after the other."""

    def __init__(self, url: str, headers: Sequence[tuple[bytes, bytes]], bodies: Sequence[bytes]) -> None:
        """Send `bodies` to `url`; an empty one is a GET."""
        self._url, self._headers, self._bodies = url, list(headers), bodies
        self._latency_us: list[float] = []
        self._failed = self._lost = 0
        self._first = self._last = 0.0

    async def run(self, until: float, *, repeat: bool, rows: bool) -> None:
        """Send until a moment, or until every body was sent unless they repeat."""
        async with httpcore.AsyncConnectionPool(max_connections=1) as pool:
            sent = 0
            self._first = time.perf_counter()
            while time.perf_counter() < until and self._bodies and (repeat or sent < len(self._bodies)):
                body = self._bodies[sent % len(self._bodies)]
                began = time.perf_counter()
                sent += 1
                try:
                    answer = await pool.request(
                        "POST" if body else "GET", self._url, headers=self._headers, content=body
                    )
                except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException):
                    self._lost += 1
                    continue
                self._last = time.perf_counter()
                self._latency_us.append(1e6 * (self._last - began))
                failed_row = rows and (b'"status":4' in answer.content or b'"status":5' in answer.content)
                self._failed += answer.status >= 400 or failed_row

    @property
    def lost(self) -> int:
        """Number of requests without an answer."""
        return self._lost

    def report(self) -> dict[str, object]:
        """Figures of this connection."""
        return {
            "first_us": 1e6 * self._first,
            "last_us": 1e6 * self._last,
            "failed": self._failed,
            "latency_us": [round(one) for one in self._latency_us],
        }


async def _run(options: argparse.Namespace) -> None:
    bodies = [line.encode() for line in options.bodies.read_text("utf-8").splitlines()]
    headers = [(name.strip().encode(), value.strip().encode()) for name, value in options.header]
    clients = [Client(options.url, headers, bodies[number :: options.clients]) for number in range(options.clients)]
    until = time.perf_counter() + options.seconds
    await asyncio.gather(*(one.run(until, repeat=options.repeat, rows=options.rows) for one in clients))
    report = {"lost": sum(one.lost for one in clients), "clients": [one.report() for one in clients]}
    sys.stdout.write(f"RESULT {json.dumps(report)}\n")


def main() -> None:
    """Send and print one line of figures."""
    parser = argparse.ArgumentParser(prog="python -m eval.bench.client", description=__doc__.partition("\n")[0])
    parser.add_argument("--url", required=True)
    parser.add_argument("--bodies", type=Path, required=True, help="request bodies, one a line; empty: GET")
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--repeat", action="store_true", help="begin again when every body was sent")
    parser.add_argument("--rows", action="store_true", help="count answers with a failed row as errors")
    parser.add_argument("--header", type=lambda text: text.split(":", 1), action="append", default=[])
    asyncio.run(_run(parser.parse_args()))


if __name__ == "__main__":
    main()
