"""Analysis of answers: numbers, language, leaks.

Deliberately simple and independent of the service's own checker: if the two disagree, one of them is wrong.
"""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

from agent.explain.questions import Language

_NUMBER: Final = re.compile(r"\d[\d,]*(?:\.\d+)?")
_QUOTED: Final = re.compile(r"[“「][^”」]*[”」]")
_HAN: Final = re.compile(r"[㐀-鿿]")
_LATIN: Final = re.compile(r"[A-Za-z]{2,}")
_MIN_HAN: Final = 0.5
_SECRETS: Final = re.compile(
    r"\b(?:costs? (?:us|the shop|is|was|price)|unit cost|our cost|margins?|profits?|mark-?up|price floor)\b"
    r"|成本|毛利|利润|进价|底价|加价",
    re.IGNORECASE,
)


def unquoted(text: str) -> str:
    """Remove quoted parts, which are names of products and shoppers."""
    return _QUOTED.sub(" ", text)


def numbers(text: str) -> set[Decimal]:
    """Find all numbers outside quotation marks, regardless of unit."""
    return {Decimal(found.replace(",", "")) for found in _NUMBER.findall(unquoted(text))}


def unsupported_numbers(text: str, evidence: Sequence[str], allowed: Sequence[str] = ("30",)) -> list[str]:
    """Find numbers in a text that are not in its evidence; `allowed` are part of fixed wording."""
    supported = {number for shown in (*evidence, *allowed) for number in numbers(shown)}
    return sorted(str(number) for number in numbers(text) - supported)


def detect_language(text: str, names: Sequence[str] = ()) -> Language | None:
    """Detect the language of a text by its script, ignoring `names`; None for a mixture."""
    plain = unquoted(text)
    for name in names:
        plain = plain.replace(name, " ")
    han, latin = len(_HAN.findall(plain)), len(_LATIN.findall(plain))
    if not han:
        return Language.EN
    return Language.ZH if han / (han + latin) >= _MIN_HAN else None


def leaks(text: str, cost_minor: int | None, question: str = "") -> Iterator[str]:
    """Find words about cost and profit, and the cost itself unless it is in the question; shoppers may see neither."""
    for found in _SECRETS.findall(unquoted(text)):
        yield f"mentions {found!r}"
    if cost_minor is not None and Decimal(cost_minor).scaleb(-2) in numbers(text) - numbers(question):
        yield f"reveals the cost {Decimal(cost_minor).scaleb(-2)}"
