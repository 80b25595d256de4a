"""Valid records to vary in tests, and hypothesis strategies for decisions."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from agent.domain.candidates import (
    Candidate,
    CandidateColumns,
    Interval,
    PastOutcome,
    PastOutcomeColumns,
    Scores,
    Source,
)
from agent.domain.decision import (
    Decision,
    Disclosure,
    IgnoredInput,
    Reduction,
    Rung,
    SimilarProduct,
    TrailStep,
    Versions,
)
from agent.domain.records import EventRecord, EventType, OutcomeRecord, OutcomeType, ProductRecord
from models.strategist.strategy import ALLOWED_ANCHORS, ALLOWED_MOVES, Anchor, Lever, Rounding, Strategy

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)

_SCORES = Scores(Interval(0.4, 0.3, 0.5), Interval(37.5, 20.0, 55.25), Interval(0.7, 0.6, 0.8))
_HOLD = Strategy(Lever.HOLD, Anchor.REFERENCE, 0)

_DECISION = Decision(
    id="decision-1",
    at=AT,
    valid_until=AT + timedelta(minutes=15),
    shopper_id="s1",
    product_id="p1",
    product_title="Oat drink, 1 l",
    currency="USD",
    quantity=1,
    price_minor=279,
    reference_minor=299,
    list_minor=299,
    strategy=_HOLD,
    source=Source.MODEL,
    rationale="The shelf price suits.",
    scores=_SCORES,
    interest=0.76,
    confidence=0.9,
    personalised=True,
    rung=Rung.MODEL,
    trail=(TrailStep("floor", 270, 279, "cost plus margin"),),
    similar=(SimilarProduct("p2", "Soy drink, 1 l", 259, "USD", 0.93),),
    evidence=PastOutcomeColumns.of([PastOutcome("o1", "p2", 0.95, True, 2.0, 0.8)]),
    candidates=CandidateColumns.of(
        [Candidate(_HOLD, Source.MODEL, "The shelf price suits.", 299, 279, _SCORES, 1.0, True)]
    ),
    disclosure=Disclosure(True, "Set for you.", "US-NY", ("purchases",), (IgnoredInput("gender", "protected"),)),
    propensity=1.0,
    versions=Versions("e1", "s1", "v1", "p1", "i1"),
    timing_ms={"observe": 1.5},
    token="header.payload.signature",  # noqa: S106 no password
)


def decision(**changes: Any) -> Decision:
    """A valid decision with some fields changed."""
    return replace(_DECISION, **changes)


def event(**changes: Any) -> EventRecord:
    """A valid event with some fields changed."""
    return replace(EventRecord("s1", EventType.PURCHASE, AT, "p1", 2, 279, 299, "USD"), **changes)


def outcome(**changes: Any) -> OutcomeRecord:
    """A valid outcome with some fields changed."""
    base = OutcomeRecord("o1", "s1", "p1", "USD", 279, 299, OutcomeType.PURCHASED, 1, AT, "q1", 0.25, 2.0)
    return replace(base, **changes)


def product(**changes: Any) -> ProductRecord:
    """A valid product with every field set, and some changed."""
    base = ProductRecord(
        product_id="p1",
        title="Oat drink, 1 l",
        currency="USD",
        list_minor=299,
        cost_minor=160,
        description="A drink of oats",
        category="DAIRY",
        brand="Halm",
        inventory=12,
        rating=4.5,
        floor_minor=200,
        ceiling_minor=400,
        map_minor=250,
        attributes={"organic": True, "litres": 1.0, "origin": "Åland"},
    )
    return replace(base, **changes)


def _strategy(lever: Lever) -> st.SearchStrategy[Strategy]:
    anchors, moves = st.sampled_from(ALLOWED_ANCHORS[lever]), st.sampled_from(ALLOWED_MOVES[lever])
    return st.builds(Strategy, st.just(lever), anchors, moves, st.sampled_from(Rounding))


_text = st.text(max_size=12)
_minor = st.integers(-(2**63), 2**63 - 1)
_number = st.floats(allow_nan=False, allow_infinity=False)
_time = st.datetimes(timezones=st.just(UTC))
_strategies = st.sampled_from(Lever).flatmap(_strategy)
_interval = st.builds(Interval, _number, _number, _number)
_scores = st.builds(Scores, _interval, _interval, _interval)


def _tuples(of: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(of, max_size=2).map(tuple)


decisions: st.SearchStrategy[Decision] = st.builds(
    Decision,
    id=st.uuids().map(str),
    at=_time,
    valid_until=_time,
    shopper_id=st.none() | _text,
    product_id=st.none() | _text,
    product_title=_text,
    currency=_text,
    quantity=_minor,
    price_minor=_minor,
    reference_minor=_minor,
    list_minor=st.none() | _minor,
    strategy=_strategies,
    source=st.sampled_from(Source),
    rationale=_text,
    scores=st.none() | _scores,
    interest=st.none() | _number,
    confidence=_number,
    personalised=st.booleans(),
    rung=st.sampled_from(Rung),
    trail=_tuples(st.builds(TrailStep, _text, _minor, _minor, _text)),
    similar=_tuples(st.builds(SimilarProduct, _text, _text, st.none() | _minor, _text, _number)),
    evidence=_tuples(st.builds(PastOutcome, _text, _text, _number, st.booleans(), _number, _number)).map(
        PastOutcomeColumns.of
    ),
    candidates=_tuples(
        st.builds(
            Candidate, _strategies, st.sampled_from(Source), _text, _minor, _minor, _scores, _number, st.booleans()
        )
    ).map(CandidateColumns.of),
    disclosure=st.builds(
        Disclosure,
        st.booleans(),
        _text,
        st.none() | _text,
        _tuples(_text),
        _tuples(st.builds(IgnoredInput, _text, _text)),
        law=st.none() | _text,
        option=st.none() | _text,
        reduction=st.none() | st.builds(Reduction, _minor, _time, _minor, _minor),
    ),
    propensity=_number,
    versions=st.builds(Versions, _text, _text, _text, _text, _text),
    timing_ms=st.dictionaries(_text, _number, max_size=2),
    token=_text,
)
