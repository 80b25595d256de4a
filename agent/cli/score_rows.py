"""Rows of offers with their scores: from file to file, a batch at a time."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from agent.domain.candidates import NO_ORIGIN, Interval, ScoreOrigin, Scores
from agent.domain.money import fraction_digits
from agent.domain.plain_requests import PlainRequests
from agent.domain.refusal import Refusal
from agent.service.ingest import CellError, Notes, RawRow, Reading, ReadingOptions, RowKind, expected_rows, read_table
from agent.service.ingest.offers import Offer, parse_offer
from agent.service.process_tuning import tune_for_batches
from agent.service.service import Service
from agent.store.rows import chunks
from models.progress import Progress

_BATCH: Final = 4_096
SCORES: Final = ("purchase_probability", "profit", "satisfaction")
_WORDS: Final = ("currency", "problem", "note", "identified_by", "satisfaction_source")
ADDED: Final = (*(f"{name}{end}" for name in SCORES for end in ("", "_low", "_high")), *_WORDS)
_NO_COST: Final = "no profit: the cost is unknown; remedy: import it, or give a column cost"


@dataclass(frozen=True, slots=True)
class ScoredFile:
    """Counts of one run; `bad` rows have no scores, those `without_cost` no profit.

    `identified_by` is the source of the price response that scores follow, `origin` that of satisfaction, and priors.
    """

    rows: int
    bad: int
    without_cost: int
    seconds: float
    notes: Notes = field(default_factory=Notes)
    identified_by: str = ""
    origin: ScoreOrigin = NO_ORIGIN


def score_file(service: Service, file: Path, out: Path, options: ReadingOptions, progress: Progress) -> ScoredFile:
    """Write every row with its scores, or with the problem that kept it from having any.

    Raises:
        ImportFormatError: The file cannot be read as what its name says, or its columns do not fit.
    """
    tune_for_batches()
    started = perf_counter()
    reading = Reading(options, service.product, datetime.now(UTC))
    table, expected = read_table(file, RowKind.SCORE, reading), expected_rows(file)
    if {"list_price", "reference_price"} <= set(table.ours):
        reading.notes.remarks["list_price"] = "is not used where the row has a reference_price"
    rows = bad = without_cost = 0
    origin = service.score_origin
    source = {"identified_by": service.identified_by, "satisfaction_source": origin.satisfaction}
    with out.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, list(dict.fromkeys((*table.names, *ADDED))), extrasaction="ignore")
        writer.writeheader()
        for batch in chunks(table.rows, _BATCH):
            scored = list(_scored(service, batch, reading))
            writer.writerows(row | source for row in scored)
            rows += len(batch)
            bad += sum(1 for row in scored if row["problem"])
            without_cost += sum(1 for row in scored if row["note"])
            progress(f"score: {rows} rows", min(0.99, rows / expected))
    progress(f"score: {rows} rows", 1.0)
    seconds = max(1e-9, perf_counter() - started)
    return ScoredFile(rows, bad, without_cost, seconds, reading.notes, source["identified_by"], origin)


def _scored(service: Service, batch: Sequence[RawRow], reading: Reading) -> Iterator[dict[str, Any]]:
    plain = PlainRequests()
    parsed = [_parsed(row, reading, plain) for row in batch]
    answers = iter(service.score([one.priced for one in parsed if isinstance(one, Offer)]))
    for row, one in zip(batch, parsed, strict=True):
        cells = dict(zip(row.names, row.values, strict=False))
        yield cells | (_cells(next(answers), one) if isinstance(one, Offer) else _problem(one))


def _parsed(row: RawRow, reading: Reading, plain: PlainRequests) -> Offer | str:
    if row.problem:
        return row.problem
    try:
        return parse_offer(row, reading, plain)
    except CellError as error:
        return f"{row.written(error.column)} {repr(error.value) + ' ' if error.value else ''}{error.reason}"


def _cells(answer: Scores | Refusal, offer: Offer) -> dict[str, Any]:
    if isinstance(answer, Refusal):
        return _problem(answer.detail)
    found: dict[str, Any] = {"currency": offer.currency, "problem": "", "note": "" if offer.knows_cost else _NO_COST}
    for name in SCORES:
        interval: Interval = getattr(answer, name)
        ends = (interval.value, interval.low, interval.high)
        if name == "profit":
            unit = 10 ** fraction_digits(offer.currency)
            ends = (ends[0] / unit, ends[1] / unit, ends[2] / unit)
        is_known = name != "profit" or offer.knows_cost
        found |= dict(zip((name, f"{name}_low", f"{name}_high"), ends if is_known else ("", "", ""), strict=True))
    return found


def _problem(problem: str) -> dict[str, Any]:
    return {"problem": " ".join(problem.split())[:300], "note": ""}
