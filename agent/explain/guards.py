"""Rules about the words of a question: what cannot be answered, and words without which a kind is not meant."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final

import yaml
from pydantic import TypeAdapter

from agent.explain.facts import DATA
from agent.explain.questions import NotUnderstood, QuestionKind


@cache
def _words(name: str) -> re.Pattern[str]:
    """One entry of `data/guards.yaml` as a pattern."""
    return re.compile("|".join(_patterns()[name]), re.IGNORECASE)


@cache
def _patterns() -> Mapping[str, Sequence[str]]:
    raw = yaml.safe_load((DATA / "guards.yaml").read_text("utf-8"))
    return TypeAdapter(dict[str, list[str]]).validate_python(raw)


_PARTS: Final = re.compile(
    r"(?<=[?？!！])\s*|;|；|\band (?=(?:why|how|which|who|what|is|are|did|does)\b)|，?(?:还有|另外|以及|而且)"
)

NEEDED: Final[Mapping[QuestionKind, tuple[str, ...]]] = {
    QuestionKind.WHAT_IF_STOCK: ("stock",),
    QuestionKind.WHAT_IF_COMPETITOR: ("rival",),
    QuestionKind.WHAT_IF_COST: ("cost",),
    QuestionKind.WHAT_IF_HISTORY: ("history",),
    QuestionKind.WHY_PRICE: ("priced", "reasons"),
    QuestionKind.WHY_NOT: ("not",),
    QuestionKind.COMPARE: ("compare",),
    QuestionKind.CONFIDENCE: ("sure",),
    QuestionKind.PERSONALISED: ("personal",),
    QuestionKind.PRICE_HISTORY: ("price_history",),
    QuestionKind.SIMILAR_SHOPPERS: ("similar",),
    QuestionKind.RULE: ("rule",),
    QuestionKind.DRIVER: ("driver",),
    QuestionKind.CATEGORY_DISCOUNTS: ("discount",),
    QuestionKind.FLOOR_PRODUCTS: ("floor",),
    QuestionKind.ABOVE_REFERENCE: ("above",),
}
"""Entries of `data/guards.yaml` of each of which a question of a kind must have a word."""

_INPUTS: Final = (
    QuestionKind.WHAT_IF_STOCK,
    QuestionKind.WHAT_IF_COMPETITOR,
    QuestionKind.WHAT_IF_COST,
    QuestionKind.WHAT_IF_HISTORY,
)


def refused(text: str) -> NotUnderstood | None:
    """Reason why a question has no answer whatever its kind: it is of the future, or asks for something to be done."""
    if mentions("future", text) and not mentions("imagined", text):
        return NotUnderstood.FUTURE
    if mentions("command", text) and not mentions("supposed", text):
        return NotUnderstood.COMMAND
    return None


def parts(text: str) -> list[str]:
    """Questions that a text asks, in order; fragments of fewer than three words or six characters do not count."""
    found = [part.strip() for part in _PARTS.split(text) if part]
    return [part for part in found if len(part.split()) >= 3 or sum("一" <= char <= "鿿" for char in part) >= 5]


def asks_why_not(text: str) -> bool:
    """Whether a text asks why there is no lower or higher price."""
    return mentions("why", text) and mentions("why_not", text)


def inputs_named(text: str) -> list[QuestionKind]:
    """The what-ifs whose input a text names: stock, a competitor, the cost, the shopper's history."""
    return [kind for kind in _INPUTS if has_the_words_of(kind, text)]


def has_the_words_of(kind: QuestionKind, text: str) -> bool:
    """Whether a text has the words that a question of this kind needs; true of kinds that need none."""
    return all(mentions(name, text) for name in NEEDED.get(kind, ()))


def mentions(name: str, text: str) -> bool:
    """Whether a text has a word of an entry of `data/guards.yaml`."""
    return _words(name).search(text) is not None
