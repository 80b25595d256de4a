"""Load generator over HTTP, and a journal of everything that the service acknowledged.

Each quote has its own shopper and idempotency key, so the store can be compared with the journal. Requests that got no
response because of a kill are retried with the same key.
"""

import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Event, Lock, Thread
from typing import Any, Final
from uuid import uuid4

import httpx

SHOPPERS: Final = "chaos-"
_TIMEOUT_S: Final = 30.0
_TYPES: Final = ("purchased", "declined")


def outcome_type(quote_id: str) -> str:
    """Return the outcome type to report for a quote, a function of its id, so that retries are identical."""
    return _TYPES[int(quote_id[-1], 16) % 2]


@dataclass(frozen=True, slots=True)
class SentRequest:
    """One request; `shopper` is the shopper of its quote."""

    path: str
    key: str
    body: dict[str, Any]
    shopper: str


@dataclass(frozen=True, slots=True)
class AckedQuote:
    """A quote acknowledged with status 200."""

    request: SentRequest
    quote_id: str
    token: str
    price_minor: int


@dataclass(slots=True)
class Journal:
    """Acknowledged quotes and outcomes by shopper.

    Attributes:
        lost: Requests without a response, and refused ones; both are retried.
        refused: Number of responses 409 and 503.
        broken: Responses that violate the contract.
    """

    quotes: dict[str, AckedQuote] = field(default_factory=dict)
    outcomes: dict[str, str] = field(default_factory=dict)
    lost: deque[SentRequest] = field(default_factory=deque)
    refused: int = 0
    retried: int = 0
    broken: list[str] = field(default_factory=list)
    latencies_s: list[float] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def answered(self, request: SentRequest, answer: httpx.Response) -> None:
        """Record one response."""
        with self.lock:
            if answer.status_code in (409, 503):
                self.refused += 1
                self.lost.append(request)
            elif not answer.is_success:
                self.broken.append(f"{request.path}: {answer.status_code} {answer.text[:200]}")
            elif request.path.endswith("quotes"):
                self._quoted(request, answer.json())
            else:
                self.outcomes[request.shopper] = request.body["type"]

    def _quoted(self, request: SentRequest, body: dict[str, Any]) -> None:
        quote = AckedQuote(request, body["id"], body["token"], body["price"]["amount_minor"])
        before = self.quotes.setdefault(request.shopper, quote)
        if (before.quote_id, before.price_minor) != (quote.quote_id, quote.price_minor):
            self.broken.append(f"idempotency key {request.key}: first {before.quote_id}, then {quote.quote_id}")


class LoadGenerator:
    """Concurrent clients that send requests until stopped or until the server is gone."""

    def __init__(self, journal: Journal, key: str, products: Sequence[str], seed: int, pace_s: float = 0.0) -> None:
        """Record in `journal`; `pace_s` is the pause of a client between two requests."""
        self._journal = journal
        self._headers = {"Authorization": f"Bearer {key}"}
        self._products = products
        self._seed = seed
        self._pace_s = pace_s
        self._stop = Event()
        self._threads: list[Thread] = []

    def start(self, url: str, clients: int) -> None:
        """Start the clients."""
        for number in range(clients):
            thread = Thread(target=self._client, args=(url, self._seed * 1_000 + number), daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Stop the clients and wait for requests in flight."""
        self._stop.set()
        for thread in self._threads:
            thread.join(_TIMEOUT_S)

    def _client(self, url: str, seed: int) -> None:
        draw = random.Random(seed)  # noqa: S311 - load, not secrets
        with httpx.Client(base_url=url, headers=self._headers, timeout=_TIMEOUT_S) as http:
            while not self._stop.is_set():
                request = self._next(draw)
                try:
                    answer = http.post(request.path, json=request.body, headers={"Idempotency-Key": request.key})
                except httpx.HTTPError:
                    with self._journal.lock:
                        self._journal.lost.append(request)
                    return  # the server is gone, or hangs
                self._journal.latencies_s.append(answer.elapsed.total_seconds())
                self._journal.answered(request, answer)
                if answer.status_code in (409, 503) or self._pace_s:
                    self._stop.wait(self._pace_s or 0.05)

    def _next(self, draw: random.Random) -> SentRequest:
        """Choose a retry, a repetition, an outcome of an earlier quote, or a new quote."""
        journal, dice = self._journal, draw.random()
        with journal.lock:
            if journal.lost and dice < 0.3:
                journal.retried += 1
                return journal.lost.popleft()
            known = list(journal.quotes.values())[-200:]
        if known and dice < 0.4:
            return draw.choice(known).request
        if known and dice < 0.7:
            quote = draw.choice(known)
            report = {"quote_id": quote.quote_id, "type": outcome_type(quote.quote_id)}
            return SentRequest("/v1/outcomes", f"outcome-{quote.quote_id}", report, quote.request.shopper)
        shopper = f"{SHOPPERS}{uuid4().hex}"
        body = {"shopper": {"id": shopper}, "product": {"id": draw.choice(self._products)}}
        return SentRequest("/v1/quotes", f"quote-{shopper}", body, shopper)
