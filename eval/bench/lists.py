"""Time of one page of each list among many rows: `python -m eval.bench.lists --rows 1000000`.

Decisions are one of the demo's kind with other times, products, shoppers and sources, drawn at random; the store is
SQLite in a temporary folder. Each page is read anew several times; the median is shown, and the slowest.
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import insert

from agent.domain.candidates import Candidate, CandidateColumns, Interval, PastOutcomeColumns, Scores, Source
from agent.domain.decision import Decision, Disclosure, Rung, TrailStep, Versions
from agent.domain.records import EventType, OutcomeType
from agent.store import Store
from agent.store.codec import encode_decision
from agent.store.lists import EventFilter, OutcomeFilter, PageOf, Position, QuoteFilter
from agent.store.tables import DECISIONS, EVENTS, OUTCOMES
from models.strategist.strategy import Anchor, Lever, Strategy

_START: Final = datetime(2026, 1, 1, tzinfo=UTC)
_BATCH: Final = 20_000
_PAGE: Final = 50
_PRODUCTS, _SHOPPERS = 20_000, 50_000
_CANDIDATES: Final = 6
_TIMES: Final = 9
_SEED: Final = 21

Read = Callable[[Position | None], PageOf[Any]]


def fill(store: Store, rows: int) -> None:
    """Insert `rows` decisions, outcomes and events."""
    draw = random.Random(_SEED)  # noqa: S311 no secret
    body, personal = _encoded()
    for first in range(0, rows, _BATCH):
        numbers = range(first, min(rows, first + _BATCH))
        with store._db.write() as connection:
            connection.execute(insert(DECISIONS), [_decision(n, draw, body, personal) for n in numbers])
            connection.execute(insert(OUTCOMES), [_outcome(n, draw) for n in numbers])
            connection.execute(insert(EVENTS), [_event(n, draw) for n in numbers])


def reads(store: Store, rows: int) -> Mapping[str, Read]:
    """Pages to time, by name; `deep` begins at the middle of the list, `rare` finds few rows or none."""
    middle = _START + timedelta(seconds=rows // 2)
    quotes, outcomes, events = store.quote_page, store.outcome_page, store.event_page
    return {
        "quotes": lambda start: quotes(QuoteFilter(), start, _PAGE),
        "quotes, deep": lambda start: quotes(QuoteFilter(until=middle), start, _PAGE),
        "quotes of a product": lambda start: quotes(QuoteFilter(product_id="p7"), start, _PAGE),
        "quotes of a shopper": lambda start: quotes(QuoteFilter(shopper_id="s7"), start, _PAGE),
        "quotes by source": lambda start: quotes(QuoteFilter(source=Source.MODEL), start, _PAGE),
        "quotes, rare rung": lambda start: quotes(QuoteFilter(rung=Rung.CACHED), start, _PAGE),
        "outcomes": lambda start: outcomes(OutcomeFilter(), start, _PAGE),
        "outcomes, deep": lambda start: outcomes(OutcomeFilter(until=middle), start, _PAGE),
        "outcomes of a product": lambda start: outcomes(OutcomeFilter(product_id="p7"), start, _PAGE),
        "outcomes, rare type": lambda start: outcomes(OutcomeFilter(type=OutcomeType.RETURNED), start, _PAGE),
        "events": lambda start: events(EventFilter(), start, _PAGE),
        "events of a product": lambda start: events(EventFilter(product_id="p7"), start, _PAGE),
    }


def main() -> None:
    """Print one line a list: rows of the first page, milliseconds of the first and of the second page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder, Store.open(f"sqlite:///{Path(folder) / 'store.db'}") as store:
        began = time.perf_counter()
        fill(store, rows)
        print(f"{rows:,} decisions, outcomes and events in {time.perf_counter() - began:.0f} s")
        for name, read in reads(store, rows).items():
            first = read(None)
            found = [_timed(read, None), *([_timed(read, first.last)] if first.last is not None else [])]
            print(f"{name}: {len(first.rows)} rows, " + ", then ".join(found))


def _timed(read: Read, start: Position | None) -> str:
    taken = []
    for _ in range(_TIMES):
        began = time.perf_counter()
        read(start)
        taken.append((time.perf_counter() - began) * 1e3)
    return f"{statistics.median(taken):.1f} ms (slowest {max(taken):.1f})"


def _encoded() -> tuple[str, str | None]:
    scores = Scores(Interval(0.4, 0.3, 0.5), Interval(37.5, 20.0, 55.25), Interval(0.7, 0.6, 0.8))
    hold = Strategy(Lever.HOLD, Anchor.REFERENCE, 0)
    candidate = Candidate(hold, Source.MODEL, "The shelf price suits this shopper.", 299, 279, scores)
    found = encode_decision(
        Decision(
            id="q",
            at=_START,
            valid_until=_START,
            shopper_id=None,
            product_id=None,
            product_title="Oat drink, 1 l",
            currency="USD",
            quantity=1,
            price_minor=279,
            reference_minor=299,
            list_minor=299,
            strategy=hold,
            source=Source.MODEL,
            rationale="The shelf price suits this shopper.",
            scores=scores,
            interest=0.7,
            confidence=0.9,
            personalised=True,
            rung=Rung.MODEL,
            trail=(TrailStep("floor", 270, 279, "cost plus margin"),),
            similar=(),
            evidence=PastOutcomeColumns(),
            candidates=CandidateColumns.of([candidate] * _CANDIDATES),
            disclosure=Disclosure(True, "Set for you.", "US-NY", ("purchases",), ()),
            propensity=1.0,
            versions=Versions("e1", "s1", "v1", "p1", "i1"),
            timing_ms={"observe": 1.5},
            token="",
        )
    )
    return found.body, found.personal


def _decision(number: int, draw: random.Random, body: str, personal: str | None) -> dict[str, Any]:
    return {
        "id": f"{number:032x}",
        "at": _START + timedelta(seconds=number),
        "shopper_id": f"s{draw.randrange(_SHOPPERS)}",
        "product_id": f"p{draw.randrange(_PRODUCTS)}",
        "price_minor": 279,
        "reference_minor": 299,
        "currency": "USD",
        "lever": Lever.HOLD,
        "source": draw.choice((Source.MODEL, Source.NUMERIC)),
        "rung": Rung.MODEL,
        "personalised": draw.random() < 0.5,
        "body": body,
        "personal": personal,
    }


def _outcome(number: int, draw: random.Random) -> dict[str, Any]:
    return {
        "outcome_id": f"{number:032x}",
        "shopper_id": f"s{draw.randrange(_SHOPPERS)}",
        "product_id": f"p{draw.randrange(_PRODUCTS)}",
        "currency": "USD",
        "price_minor": 279,
        "reference_minor": 299,
        "type": draw.choice((OutcomeType.PURCHASED, OutcomeType.DECLINED)),
        "quantity": 1,
        "at": _START + timedelta(seconds=number),
        "quote_id": f"{number:032x}",
        "weight": 1.0,
    }


def _event(number: int, draw: random.Random) -> dict[str, Any]:
    return {
        "shopper_id": f"s{draw.randrange(_SHOPPERS)}",
        "type": draw.choice((EventType.VIEW, EventType.PURCHASE)),
        "at": _START + timedelta(seconds=number),
        "product_id": f"p{draw.randrange(_PRODUCTS)}",
        "quantity": 1,
        "text": "",
        "event_id": f"{number:032x}",
    }


if __name__ == "__main__":
    main()
