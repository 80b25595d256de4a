"""What a text says, read without the service's own checker: its numbers, its language, what it must not tell.

Deliberately simple and separate: where the checker and this reading disagree, one of them is wrong.
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
_ENOUGH_HAN: Final = 0.5
_SECRETS: Final = re.compile(
    r"\b(?:costs? (?:us|the shop|is|was|price)|unit cost|our cost|margins?|profits?|mark-?up|price floor)\b"
    r"|成本|毛利|利润|进价|底价|加价",
    re.IGNORECASE,
)


def unquoted(text: str) -> str:
    """The text without what stands in quotation marks: names of products and shoppers."""
    return _QUOTED.sub(" ", text)


def numbers(text: str) -> set[Decimal]:
    """Every number outside quotation marks, whatever its unit."""
    return {Decimal(found.replace(",", "")) for found in _NUMBER.findall(unquoted(text))}


def invented(text: str, evidence: Sequence[str], allowed: Sequence[str] = ("30",)) -> list[str]:
    """Numbers of a text that none of the facts behind it shows; `allowed` are part of fixed wording."""
    known = {number for shown in (*evidence, *allowed) for number in numbers(shown)}
    return sorted(str(number) for number in numbers(text) - known)


def reads_as(text: str, names: Sequence[str] = ()) -> Language | None:
    """The language of a text by its letters, names left out; None for a mixture."""
    plain = unquoted(text)
    for name in names:
        plain = plain.replace(name, " ")
    han, latin = len(_HAN.findall(plain)), len(_LATIN.findall(plain))
    if not han:
        return Language.EN
    return Language.ZH if han / (han + latin) >= _ENOUGH_HAN else None


def leaks(text: str, cost_minor: int | None, asked: str = "") -> Iterator[str]:
    """What a shopper may not read: words of cost and profit, and the cost itself unless the question named it."""
    for found in _SECRETS.findall(unquoted(text)):
        yield f"tells of {found!r}"
    if cost_minor is not None and Decimal(cost_minor).scaleb(-2) in numbers(text) - numbers(asked):
        yield f"tells the cost of {Decimal(cost_minor).scaleb(-2)}"
