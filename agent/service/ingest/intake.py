"""Storing of valid rows, one class for each kind of file; known, merged and suspicious rows are told apart."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from agent.domain.plausibility import event_suspicion, outcome_suspicion, product_suspicion
from agent.domain.records import EventRecord, OutcomeRecord, ProductRecord, ShopperRecord
from agent.service.ingest.identity import Occurrences, line_id, numbered_id, outcome_content
from agent.service.ingest.parsed_rows import ParsedEvent, ParsedRow
from agent.service.ingest.reading import ProductOf, ReadingOptions
from agent.service.ingest.report import ImportReport
from agent.store.event_deduplication import event_content, numbered_event_id
from agent.store.rows import chunks

_LEGACY: Final = 10_000


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """Options for an import.

    Attributes:
        reading: How the file's rows are written.
        accept_suspicious: Whether rows that are probably wrong are imported too.
    """

    reading: ReadingOptions = field(default_factory=ReadingOptions)
    accept_suspicious: bool = False


@dataclass(frozen=True, slots=True)
class ImportTargets:
    """Functions that look up and store valid rows.

    Attributes:
        events: Stores events and returns the new ones.
        completed: Stores returns and ratings of outcomes that are stored already.
        known_events, known_outcomes: The stored ones among some ids.
        outcomes_by_line: Stored outcomes whose ids rest on lines of a file, as earlier releases made them.
        product_of: A stored product; None where unknown.
        now: Moment of the import, from which dates are judged.
    """

    products: Callable[[Sequence[ProductRecord]], None]
    events: Callable[[Sequence[EventRecord]], Sequence[EventRecord]]
    shoppers: Callable[[Sequence[ShopperRecord]], None]
    outcomes: Callable[[Sequence[OutcomeRecord]], None]
    completed: Callable[[Sequence[OutcomeRecord]], object]
    known_events: Callable[[Sequence[str]], set[str]]
    known_outcomes: Callable[[Sequence[str]], set[str]]
    outcomes_by_line: Callable[[], Iterator[OutcomeRecord]]
    product_of: ProductOf
    now: datetime


class _Intake:
    """Counts the rows of one file in a report, and knows which it has seen."""

    def __init__(self, targets: ImportTargets, report: ImportReport, options: ImportOptions) -> None:
        """`options` say whether suspicious rows are stored too."""
        self._targets = targets
        self._report = report
        self._accept = options.accept_suspicious
        self._seen = Occurrences()


class ProductIntake(_Intake):
    """Stores products that are new or described otherwise than before."""

    def take(self, rows: Sequence[ParsedRow[ProductRecord]]) -> None:
        """Store some products; of several with one id the last."""
        wanted = []
        for row, number in zip(rows, self._seen.number([row.record.product_id for row in rows]), strict=True):
            product = row.record
            stored = self._targets.product_of(product.product_id)
            suspicion = None if self._accept else product_suspicion(product, stored)
            if suspicion is not None:
                self._report.suspect(row.raw.line, suspicion)
                continue
            if number > 1:
                self._report.merged += 1  # the reading names them
            elif stored is None:
                self._report.new += 1
            elif stored == product:
                self._report.unchanged += 1
                continue
            else:
                self._report.changed += 1
            wanted.append(product)
        if wanted:
            self._targets.products(wanted)


class EventIntake(_Intake):
    """Stores events that are new."""

    def take(self, rows: Sequence[ParsedRow[ParsedEvent]]) -> None:
        """Store some events, and the profiles of their shoppers."""
        contents = [row.record.event.event_id or event_content(row.record.event) for row in rows]
        numbered: list[tuple[int, ParsedEvent]] = []
        for row, content, number in zip(rows, contents, self._seen.number(contents), strict=True):
            event = row.record.event
            if event.event_id is None:
                event = replace(event, event_id=numbered_event_id(content, number))
            elif number > 1:
                self._report.merge(event.event_id)
                continue
            numbered.append((row.raw.line, replace(row.record, event=event)))
        good = self._judged(numbered)
        if not good:
            return
        _store_profiles({parsed.shopper.shopper_id: parsed.shopper for parsed in good if parsed.shopper}, self._targets)
        new = len(self._targets.events([parsed.event for parsed in good]))
        self._report.new += new
        self._report.known += len(good) - new

    def _judged(self, rows: Sequence[tuple[int, ParsedEvent]]) -> list[ParsedEvent]:
        """Rows but for suspicious ones; one that is stored already was accepted before."""
        if self._accept:
            return [parsed for _, parsed in rows]
        product_of = self._targets.product_of
        doubts = [event_suspicion(p.event, product_of(p.event.product_id or "")) for _, p in rows]
        doubted = [p.event.event_id or "" for (_, p), doubt in zip(rows, doubts, strict=True) if doubt is not None]
        known = self._targets.known_events(doubted) if doubted else set()
        good = []
        for (line, parsed), doubt in zip(rows, doubts, strict=True):
            if doubt is None or parsed.event.event_id in known:
                good.append(parsed)
            else:
                self._report.suspect(line, doubt)
        return good


class OutcomeIntake(_Intake):
    """Stores outcomes that are new, and what became known of others: returns and ratings."""

    def __init__(self, targets: ImportTargets, report: ImportReport, options: ImportOptions) -> None:
        """Read what earlier releases stored; `options` say whether suspicious rows are stored too."""
        super().__init__(targets, report, options)
        self._mapping = options.reading.mapping
        self._legacy: Occurrences | None = None
        for some in chunks(targets.outcomes_by_line(), _LEGACY):
            self._legacy = self._legacy or Occurrences()
            self._legacy.number([outcome_content(outcome) for outcome in some])

    def take(self, rows: Sequence[ParsedRow[OutcomeRecord]]) -> None:
        """Store some outcomes, and the profiles of their shoppers."""
        contents = [row.record.outcome_id or outcome_content(row.record) for row in rows]
        numbers = self._seen.number(contents)
        earlier = self._stored_by_line(rows, contents, numbers)
        numbered: list[tuple[int, OutcomeRecord]] = []
        for row, content, number in zip(rows, contents, numbers, strict=True):
            outcome = row.record
            if not outcome.outcome_id:
                outcome = replace(outcome, outcome_id=numbered_id(content, number))
            elif number > 1:
                self._report.merge(outcome.outcome_id)
                continue
            numbered.append((row.raw.line, outcome))
        known = self._targets.known_outcomes([outcome.outcome_id for _, outcome in numbered])
        new = [(line, one) for line, one in numbered if one.outcome_id not in known and line not in earlier]
        self._report.known += len(numbered) - len(new)
        self._targets.completed([one for _, one in numbered if one.outcome_id in known])
        self._store(self._judged(new))

    def _judged(self, rows: Sequence[tuple[int, OutcomeRecord]]) -> list[OutcomeRecord]:
        """Rows but for suspicious ones."""
        good = []
        for line, outcome in rows:
            product = self._targets.product_of(outcome.product_id or "")
            doubt = None if self._accept else outcome_suspicion(outcome, product)
            if doubt is None:
                good.append(outcome)
            else:
                self._report.suspect(line, doubt)
        return good

    def _stored_by_line(
        self, rows: Sequence[ParsedRow[OutcomeRecord]], contents: Sequence[str], numbers: Sequence[int]
    ) -> set[int]:
        """Lines of rows that an earlier release stored, under an id from their line or at another line."""
        if self._legacy is None:
            return set()
        ids = {line_id(row.raw, self._mapping): row.raw.line for row in rows if not row.record.outcome_id}
        known = self._targets.known_outcomes(list(ids))
        counted = zip(rows, numbers, self._legacy.counts(contents), strict=True)
        return {ids[one] for one in known} | {row.raw.line for row, number, stored in counted if number <= stored}

    def _store(self, new: Sequence[OutcomeRecord]) -> None:
        if not new:
            return
        described = {o.shopper_id: ShopperRecord(o.shopper_id, o.profile) for o in new if o.shopper_id and o.profile}
        _store_profiles(described, self._targets)
        self._targets.outcomes(new)
        self._report.new += len(new)


Intake = ProductIntake | EventIntake | OutcomeIntake


def _store_profiles(shoppers: Mapping[str, ShopperRecord], targets: ImportTargets) -> None:
    if shoppers:
        targets.shoppers(list(shoppers.values()))
