"""Rows of offers with their scores: from file to file, a batch at a time."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from agent.domain.decision import Interval, Scores
from agent.domain.money import to_minor
from agent.domain.refusal import Refusal
from agent.domain.request import QuoteRequest
from agent.pricing.score_at_prices import PricedRow
from agent.service.gc_tuning import tune_for_batches
from agent.service.ingest import RawRow, read_rows
from agent.service.service import Service
from agent.store.rows import chunks
from models.progress import Progress

_BATCH: Final = 4_096
SCORES: Final = ("purchase_probability", "profit", "satisfaction")


@dataclass(frozen=True, slots=True)
class ScoredFile:
    """Counts of one run; `bad` rows have no scores."""

    rows: int
    bad: int
    seconds: float


def score_file(service: Service, file: Path, out: Path, currency: str, progress: Progress) -> ScoredFile:
    """Write every row with its scores, or with the problem that kept it from having any.

    Raises:
        ImportFormatError: The file cannot be read as what its name says.
    """
    tune_for_batches()
    started = perf_counter()
    total = sum(1 for _ in read_rows(file))
    rows = bad = 0
    with out.open("w", newline="", encoding="utf-8") as handle:
        writer: csv.DictWriter[str] | None = None
        for batch in chunks(read_rows(file), _BATCH):
            scored = list(_scored(service, batch, currency))
            if writer is None:
                writer = csv.DictWriter(handle, _columns(batch[0]))
                writer.writeheader()
            writer.writerows(scored)
            rows += len(batch)
            bad += sum(1 for row in scored if row["problem"])
            progress(f"score: {rows} of {total} rows", rows / total)
    return ScoredFile(rows, bad, max(1e-9, perf_counter() - started))


def _columns(first: RawRow) -> list[str]:
    return [*first.cells, *(f"{name}{end}" for name in SCORES for end in ("", "_low", "_high")), "problem"]


def _scored(service: Service, batch: Sequence[RawRow], currency: str) -> Iterator[dict[str, Any]]:
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
    for raw, one in zip(batch, parsed, strict=True):
        answer = next(answers) if isinstance(one, PricedRow) else one
        yield {**raw.cells, **_cells(answer)}


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


def _cells(answer: Scores | Refusal | str) -> dict[str, Any]:
    if isinstance(answer, Scores):
        found: dict[str, Any] = {"problem": ""}
        for name in SCORES:
            interval: Interval = getattr(answer, name)
            found |= {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}
        return found
    return {"problem": answer if isinstance(answer, str) else answer.detail}
