"""Proposals of the strategist: what it is asked, what it writes, and the JSON form in which that is kept and sent.

Nothing here loads torch: a serving process reads proposals, and another process writes them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, TypeVar

from models.strategist.strategy import Anchor, Lever, Rounding, Strategy

Word = TypeVar("Word", Lever, Anchor, Rounding)

WrittenRow = tuple[str, str, int, str, float]
"""Lever, anchor, move in percent, rounding and score."""

_LEVERS: Final = {lever.value: lever for lever in Lever}
_ANCHORS: Final = {anchor.value: anchor for anchor in Anchor}
_ROUNDINGS: Final = {rounding.value: rounding for rounding in Rounding}


@dataclass(frozen=True, slots=True)
class ProposalRequest:
    """A rendered prompt, the levers whose data exist for this request, and the anchors with a known price."""

    prompt: str
    levers: frozenset[Lever]
    anchors: frozenset[Anchor]


@dataclass(frozen=True, slots=True)
class Written:
    """A strategy and its score.

    The score is the lever's log-probability minus the gap between the move's log-probability and that of the lever's
    likeliest move. As the targets in training are softmax(utility / 1 %), a difference of 1 means an expected
    difference of one percent in utility. A plain log-probability would favour levers with few moves, each of which has
    a large share of the probability.
    """

    strategy: Strategy
    score: float


def to_rows(written: Sequence[Written]) -> list[WrittenRow]:
    """Convert proposals to values that JSON keeps exactly."""
    return [(s.lever.value, s.anchor.value, s.move_pct, s.rounding.value, score) for s, score in map(_parts, written)]


def _parts(item: Written) -> tuple[Strategy, float]:
    return item.strategy, item.score


def from_rows(rows: Sequence[Sequence[object]]) -> tuple[Written, ...]:
    """Convert rows of `to_rows` back, read from JSON.

    Raises:
        ValueError: A row is malformed, or its strategy is not allowed.
    """
    found = []
    for row in rows:
        if len(row) != 5:
            raise ValueError(f"a proposal has {len(row)} values; expected: lever, anchor, move, rounding and score")
        lever, anchor, move_pct, rounding, score = row
        if not isinstance(move_pct, int) or not isinstance(score, float | int):
            raise ValueError(f"a proposal has the move {move_pct!r} and the score {score!r}; expected: numbers")
        words = _word(_LEVERS, lever), _word(_ANCHORS, anchor), _word(_ROUNDINGS, rounding)
        found.append(Written(shared_strategy(words[0], words[1], move_pct, words[2]), float(score)))
    return tuple(found)


@cache
def shared_strategy(lever: Lever, anchor: Anchor, move_pct: int, rounding: Rounding) -> Strategy:
    """Return one shared instance per strategy: a few thousand are allowed, and many situations have the same.

    Raises:
        StrategyError: The grammar does not allow it.
    """
    return Strategy(lever, anchor, move_pct, rounding)


def _word(words: Mapping[str, Word], given: object) -> Word:
    word = words.get(given) if isinstance(given, str) else None
    if word is None:
        raise ValueError(f"a proposal has the unknown word {str(given)[:40]!r}; expected one of: {', '.join(words)}")
    return word
