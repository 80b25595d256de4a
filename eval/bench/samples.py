"""Samples of answers: the stages' shares of a page and of a lone quote, the rungs, and the sizes of answers."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import httpx

from eval.bench.figures import shares
from eval.bench.rows import ROWS, Asked, Row, Shop, Turn
from eval.bench.subjects import Subject

_PAGES: Final = 20
_QUOTES: Final = 60
_VIEWS: Final = ("merchant", "shopper")


@dataclass(frozen=True, slots=True)
class Sampled:
    """Stages, rungs and sizes of sampled answers.

    Attributes:
        stages: Of `page` and `quote`, each stage's median and share; `rest` is HTTP, recording and waiting.
        rungs: Answers by rung of the deadline ladder, of the lone quotes.
        answer_bytes: Sizes by kind of answer and view, as text and as sent to a client that takes gzip.
    """

    stages: Mapping[str, Mapping[str, Mapping[str, float]]]
    rungs: Mapping[str, int]
    answer_bytes: Mapping[str, Mapping[str, int]]


def sample(subject: Subject, shop: Shop, turn: Turn) -> Sampled:
    """Ask for pages and quotes of a turn that no row was measured in."""
    rows = {row.name: row for row in ROWS}
    pages, quotes = _requests(rows["page_met"], shop, turn, _PAGES), _requests(rows["random"], shop, turn, _QUOTES)
    with subject.client() as http:
        page_answers, page_ms = _ask(http, subject, pages)
        quote_answers, quote_ms = _ask(http, subject, quotes)
        firsts = [_first(answer) for answer in page_answers]
        return Sampled(
            stages={
                "page": shares([one["timing_ms"] for one in firsts], page_ms),
                "quote": shares([one["timing_ms"] for one in quote_answers], quote_ms),
            },
            rungs=dict(Counter(one["rung"] for one in quote_answers)),
            answer_bytes={
                f"{kind}_{view}": _size(http, subject, asked, view)
                for kind, asked in (("page", pages[0]), ("quote", quotes[0]))
                for view in _VIEWS
            },
        )


def _requests(row: Row, shop: Shop, turn: Turn, count: int) -> list[Asked]:
    return list(islice(row.requests(shop, turn), count))


def _ask(http: httpx.Client, subject: Subject, asked: Sequence[Asked]) -> tuple[list[Any], list[float]]:
    """Answers in the merchant's view, and their latencies in milliseconds."""
    answers, spent = [], []
    for one in asked:
        began = time.perf_counter()
        answer = http.post(subject.path([one], "merchant"), json=subject.body(one)).raise_for_status()
        spent.append(1e3 * (time.perf_counter() - began))
        answers.append(answer.json())
    return answers, spent


def _first(answer: Any) -> Any:
    """The first quote of a page; the batch call names its rows `results`."""
    rows = answer["quotes"] if "quotes" in answer else answer["results"]
    return next(row["quote"] for row in rows if row.get("quote"))


def _size(http: httpx.Client, subject: Subject, asked: Asked, view: str) -> dict[str, int]:
    answer = http.post(subject.path([asked], view), json=subject.body(asked), headers={"Accept-Encoding": "gzip"})
    return {"text": len(answer.content), "sent": answer.num_bytes_downloaded}
