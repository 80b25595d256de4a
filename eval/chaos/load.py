"""Clients that price and report over HTTP, and a journal of everything that the service acknowledged.

Each quote has a shopper and an idempotency key of its own, so that what the store holds can be counted against what
was acknowledged. What a kill left without an answer is asked again with the same key.
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
    """What is reported of a quote, by its id alone: a repetition never says anything else."""
    return _TYPES[int(quote_id[-1], 16) % 2]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request; `about` is the shopper of the quote that it asks for, or whose outcome it reports."""

    path: str
    key: str
    body: dict[str, Any]
    about: str


@dataclass(frozen=True, slots=True)
class AckedQuote:
    """A quote that was answered with 200."""

    asked: Asked
    quote_id: str
    token: str
    price_minor: int


@dataclass(slots=True)
class Journal:
    """What was acknowledged, by shopper; `lost` requests never got an answer, `broken` answers are the service's fault.

    `refused` counts answers of 409 and 503, which ask to come again.
    """

    quotes: dict[str, AckedQuote] = field(default_factory=dict)
    outcomes: dict[str, str] = field(default_factory=dict)
    lost: deque[Asked] = field(default_factory=deque)
    refused: int = 0
    retried: int = 0
    broken: list[str] = field(default_factory=list)
    latencies_s: list[float] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def answered(self, asked: Asked, answer: httpx.Response) -> None:
        """Note one answer."""
        with self.lock:
            if answer.status_code in (409, 503):
                self.refused += 1
                self.lost.append(asked)
            elif answer.status_code != 200:
                self.broken.append(f"{asked.path}: {answer.status_code} {answer.text[:200]}")
            elif asked.path.endswith("quotes"):
                self._quoted(asked, answer.json())
            else:
                self.outcomes[asked.about] = asked.body["type"]

    def _quoted(self, asked: Asked, body: dict[str, Any]) -> None:
        quote = AckedQuote(asked, body["id"], body["token"], body["price"]["amount_minor"])
        before = self.quotes.setdefault(asked.about, quote)
        if (before.quote_id, before.price_minor) != (quote.quote_id, quote.price_minor):
            self.broken.append(f"idempotency key {asked.key}: first {before.quote_id}, then {quote.quote_id}")


class Load:
    """A few clients at once, each without pause unless `pace_s` says so, until stopped or cut off."""

    def __init__(self, journal: Journal, key: str, products: Sequence[str], seed: int, pace_s: float = 0.0) -> None:
        """Journal to `journal`; `pace_s` is the pause of a client between two requests."""
        self._journal = journal
        self._headers = {"Authorization": f"Bearer {key}"}
        self._products = products
        self._seed = seed
        self._pace_s = pace_s
        self._stop = Event()
        self._threads: list[Thread] = []

    def start(self, url: str, clients: int) -> None:
        """Begin."""
        for number in range(clients):
            thread = Thread(target=self._client, args=(url, self._seed * 1_000 + number), daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """End, and wait for requests under way."""
        self._stop.set()
        for thread in self._threads:
            thread.join(_TIMEOUT_S)

    def _client(self, url: str, seed: int) -> None:
        draw = random.Random(seed)  # noqa: S311 - load, not secrets
        with httpx.Client(base_url=url, headers=self._headers, timeout=_TIMEOUT_S) as http:
            while not self._stop.is_set():
                asked = self._next(draw)
                try:
                    answer = http.post(asked.path, json=asked.body, headers={"Idempotency-Key": asked.key})
                except httpx.HTTPError:
                    with self._journal.lock:
                        self._journal.lost.append(asked)
                    return  # the server is gone, or hangs
                self._journal.latencies_s.append(answer.elapsed.total_seconds())
                self._journal.answered(asked, answer)
                if answer.status_code in (409, 503) or self._pace_s:
                    self._stop.wait(self._pace_s or 0.05)

    def _next(self, draw: random.Random) -> Asked:
        """A lost request again, a repetition, an outcome of an earlier quote, or a new quote."""
        journal, dice = self._journal, draw.random()
        with journal.lock:
            if journal.lost and dice < 0.3:
                journal.retried += 1
                return journal.lost.popleft()
            known = list(journal.quotes.values())[-200:]
        if known and dice < 0.4:
            return draw.choice(known).asked
        if known and dice < 0.7:
            quote = draw.choice(known)
            told = {"quote_id": quote.quote_id, "type": outcome_type(quote.quote_id)}
            return Asked("/v1/outcomes", f"outcome-{quote.quote_id}", told, quote.asked.about)
        shopper = f"{SHOPPERS}{uuid4().hex}"
        body = {"shopper": {"id": shopper}, "product": {"id": draw.choice(self._products)}}
        return Asked("/v1/quotes", f"quote-{shopper}", body, shopper)
