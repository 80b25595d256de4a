"""Rows of a file of offers, each to three scores at its price, in one process or several: `pricesmith score`."""

import multiprocessing
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from types import TracebackType
from typing import Any, Final, Self

import faiss
import torch

from agent.api.schemas import QuoteRequest
from agent.assembly import open_service, open_store
from agent.decision import Interval, Scores
from agent.garbage import settle
from agent.importing import RawRow
from agent.money import to_minor
from agent.pricing import Service
from agent.refusal import Refusal
from agent.score import PricedRow
from agent.settings import Settings

SCORES: Final = ("purchase_probability", "profit", "satisfaction")
_AHEAD: Final = 2  # batches a process, so that none waits for the reader

Scored = dict[str, Any]
"""A row's own cells, then each score with its interval, then `problem`."""


class OfferScorer:
    """Scores batches of rows in their order; use it as a context.

    With one worker they are scored here. Each of several is a process of its own that opens store and models for itself
    (about 1 GiB) and computes on one thread.
    """

    def __init__(self, settings: Settings, currency: str, workers: int = 1) -> None:
        """Prices are in `currency`; nothing is opened yet."""
        self._settings = settings
        self._currency = currency
        self._workers = workers
        self._service: Service | None = None
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        """Open what is needed."""
        if self._workers == 1:
            self._service = _opened(self._settings)
        else:
            spawn = multiprocessing.get_context("spawn")  # forked, the models' threads would be missing
            self._pool = ProcessPoolExecutor(self._workers, spawn)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        if self._service is not None:
            self._service.close()
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def score(self, batches: Iterable[Sequence[RawRow]]) -> Iterator[list[Scored]]:
        """Each batch's rows with their scores, or with their problem."""
        if self._pool is None:
            if self._service is None:
                raise AssertionError("scores are asked for inside the context")
            for batch in batches:
                yield score_rows(self._service, batch, self._currency)
            return
        waiting: deque[Future[list[Scored]]] = deque()
        alone = self._settings.model_copy(update={"threads": 1})
        for batch in batches:
            waiting.append(self._pool.submit(_score_here, alone, batch, self._currency))
            if len(waiting) >= _AHEAD * self._workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def score_rows(service: Service, batch: Sequence[RawRow], currency: str) -> list[Scored]:
    """One batch's rows with their scores, or with their problem."""
    parsed: list[PricedRow | str] = []
    for row in batch:
        if row.problem:
            parsed.append(row.problem)
            continue
        try:
            parsed.append(_priced(row.cells, currency))
        except ValueError as error:
            parsed.append(" ".join(str(error).split())[:300])
    answers = iter(service.score([row for row in parsed if isinstance(row, PricedRow)]))
    return [
        {**raw.cells, **_cells(next(answers) if isinstance(one, PricedRow) else one)}
        for raw, one in zip(batch, parsed, strict=True)
    ]


def _opened(settings: Settings) -> Service:
    service = open_service(settings, open_store(settings))
    settle()
    return service


_HERE: Final[list[Service]] = []  # a worker process opens its own with its first batch


def _score_here(settings: Settings, batch: Sequence[RawRow], currency: str) -> list[Scored]:
    if not _HERE:
        faiss.omp_set_num_threads(1)
        torch.set_num_threads(1)
        _HERE.append(_opened(settings))
    return score_rows(_HERE[0], batch, currency)


def _priced(cells: Mapping[str, Any], currency: str) -> PricedRow:
    given = {name: value for name, value in cells.items() if value not in (None, "")}
    missing = [name for name in ("product_id", "price") if name not in given]
    if missing:
        raise ValueError(f"missing {', '.join(missing)}")
    context: dict[str, Any] = {
        n.removeprefix("context."): _number(v) for n, v in given.items() if n.startswith("context.")
    }
    if "at" in given:
        context["at"] = given["at"]
    shopper: dict[str, Any] = {"id": str(given["shopper_id"])} if "shopper_id" in given else {}
    profile = {n.removeprefix("profile."): _number(v) for n, v in given.items() if n.startswith("profile.")}
    if profile:
        shopper["profile"] = profile
    request = {"shopper": shopper, "product": {"id": str(given["product_id"])}, "context": context}
    return PricedRow(QuoteRequest.model_validate(request), to_minor(str(given["price"]), currency))


def _number(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        number = float(value)
    except ValueError:
        return value
    return int(number) if number.is_integer() else number


def _cells(answer: Scores | Refusal | str) -> Scored:
    if isinstance(answer, Scores):
        found: Scored = {"problem": ""}
        for name in SCORES:
            interval: Interval = getattr(answer, name)
            found |= {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}
        return found
    return {"problem": answer if isinstance(answer, str) else answer.detail}
