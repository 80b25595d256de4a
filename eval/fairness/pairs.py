"""Paired shoppers: two requests that differ only in a protected attribute or in a proxy for one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict

from agent.domain.decision import Decision
from agent.domain.refusal import Refusal
from agent.domain.request import QuoteRequest
from eval.off_policy.intervals import Estimate, Terms, bootstrap

Pricer = Callable[[Sequence[QuoteRequest]], Sequence[Decision | Refusal]]
Value = str | int | float

PROTECTED: Final = "protected"
PROXY: Final = "proxy"
BATCH: Final = 64
_FILE: Final = Path(__file__).parent / "data" / "pairs.yaml"
_STRICT: Final = ConfigDict(frozen=True, extra="forbid")


class Attribute(BaseModel):
    """A protected attribute with two values, stated in several forms.

    Attributes:
        leanings: Interests correlated with either value, for the probe.
        place: Jurisdiction that protects it; empty means everywhere.
    """

    model_config = _STRICT

    field: str
    values: tuple[Value, Value]
    texts: tuple[str, str]
    chinese: tuple[str, str]
    leanings: tuple[tuple[str, ...], tuple[str, ...]] | None = None
    place: str = ""


class Proxy(BaseModel):
    """An allowed field of profile or context that is correlated with a protected attribute."""

    model_config = _STRICT

    values: tuple[Value, Value]
    field: str = ""
    context: str = ""


class PairFile(BaseModel):
    """Content of `data/pairs.yaml`."""

    model_config = _STRICT

    protected: Mapping[str, Attribute]
    proxies: Mapping[str, Proxy]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two requests that differ in one field or text; `shopper` is the number of the shopper."""

    kind: str
    name: str
    form: str
    shopper: int
    one: QuoteRequest
    other: QuoteRequest


@dataclass(frozen=True, slots=True)
class PairLine:
    """Results of all pairs of one kind, name and form.

    Attributes:
        differing: Number of pairs whose prices differ.
        gap_pct: First price minus second, in percent of the reference price, with an interval over shoppers.
        largest_pct: Largest absolute difference within a pair, in percent of the reference price.
        moved: Share of prices that differ from the reference price; at 0 the comparison shows nothing.
    """

    where: str
    kind: str
    name: str
    form: str
    pairs: int
    differing: int
    gap_pct: Estimate
    largest_pct: float
    moved: float


@cache
def pair_file() -> PairFile:
    """Read and validate the pair data."""
    return PairFile.model_validate(yaml.safe_load(_FILE.read_text("utf-8")))


def pairs_of(base: Mapping[str, Any], shopper: int) -> Iterator[Pair]:
    """Iterate over all pairs made from one request, given as JSON with a mapping as profile."""
    for name, attribute in pair_file().protected.items():
        place = {"context": {**base.get("context", {}), "jurisdiction": attribute.place}} if attribute.place else {}
        here = {**base, **place}
        forms = {
            "field": [_profile(here, attribute.field, value) for value in attribute.values],
            "text": [_text(here, text) for text in attribute.texts],
            "Chinese text": [_text(here, text) for text in attribute.chinese],
            "search": [{**here, "events": [{"type": "search", "text": f"gift, {text}"}]} for text in attribute.texts],
        }
        for form, requests in forms.items():
            yield Pair(PROTECTED, name, form, shopper, *map(QuoteRequest.model_validate, requests))
    for name, proxy in pair_file().proxies.items():
        proxy_requests = [
            _profile(base, proxy.field, value) if proxy.field else _context(base, proxy.context, value)
            for value in proxy.values
        ]
        form = "profile" if proxy.field else "context"
        yield Pair(PROXY, name, form, shopper, *map(QuoteRequest.model_validate, proxy_requests))


def compare(where: str, pairs: Sequence[Pair], pricer: Pricer) -> list[PairLine]:
    """Price all pairs and summarise them by kind, name and form.

    Raises:
        ValueError: A request was refused.
    """
    prices = priced(pricer, [request for pair in pairs for request in (pair.one, pair.other)])
    sides = list(zip(prices[::2], prices[1::2], strict=True))
    rows_by_key: dict[tuple[str, str, str], list[int]] = {}
    for row, pair in enumerate(pairs):
        rows_by_key.setdefault((pair.kind, pair.name, pair.form), []).append(row)
    return [
        _line(where, key, [pairs[row] for row in rows], [sides[row] for row in rows])
        for key, rows in rows_by_key.items()
    ]


def priced(pricer: Pricer, requests: Sequence[QuoteRequest]) -> list[Decision]:
    """Price requests in batches, one decision per request.

    Raises:
        ValueError: A request was refused.
    """
    decisions: list[Decision] = []
    for begin in range(0, len(requests), BATCH):
        for answer in pricer(requests[begin : begin + BATCH]):
            if not isinstance(answer, Decision):
                raise ValueError(f"a quote was refused: {answer.detail}")
            decisions.append(answer)
    return decisions


def _line(
    where: str, key: tuple[str, str, str], pairs: Sequence[Pair], sides: Sequence[tuple[Decision, Decision]]
) -> PairLine:
    gaps = np.asarray([100 * (a.price_minor - b.price_minor) / a.reference_minor for a, b in sides])
    terms = Terms(gaps, np.ones(len(gaps)))
    moved = [one.price_minor != one.reference_minor for pair in sides for one in pair]
    return PairLine(
        where,
        *key,
        pairs=len(pairs),
        differing=int(np.count_nonzero(gaps)),
        gap_pct=bootstrap(terms, np.asarray([pair.shopper for pair in pairs])),
        largest_pct=float(np.abs(gaps).max()),
        moved=float(np.mean(moved)),
    )


def _profile(base: Mapping[str, Any], field: str, value: Value) -> dict[str, Any]:
    shopper = dict(base["shopper"])
    return {**base, "shopper": {**shopper, "profile": {**shopper.get("profile", {}), field: value}}}


def _text(base: Mapping[str, Any], text: str) -> dict[str, Any]:
    shopper = dict(base["shopper"])
    known = [f"{name} {value}" for name, value in shopper.get("profile", {}).items()]
    return {**base, "shopper": {**shopper, "profile": "; ".join([*known, text])}}


def _context(base: Mapping[str, Any], name: str, value: Value) -> dict[str, Any]:
    return {**base, "context": {**base.get("context", {}), name: value}}
