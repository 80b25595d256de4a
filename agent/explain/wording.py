"""Wording: values in each language, and the fixed texts from sentences kept as data."""

import math
import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Final

import yaml
from pydantic import TypeAdapter

from agent.domain.money import fraction_digits, show
from agent.explain.facts import DATA, Fact, FactTable, Unit, definitions
from agent.explain.questions import Audience, Language, QuestionKind

Groups = Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of the fixed texts, and the values that it states."""

    text: str
    values: tuple[str, ...]


_MARKS: Final = re.compile(r"^\[([^\]]*)\] ?")
_NAME_CHARS: Final = 80
_LISTED: Final = 5
_SEPARATOR: Final = {Language.EN: ", ", Language.ZH: "、"}


def shown(fact: Fact, language: Language, currency: str) -> str:
    """A fact's value as text."""
    value, unit = fact.value, fact.unit
    if isinstance(value, tuple):
        words = [_word(word, language) if unit is Unit.WORDS else _name(word) for word in value[:_LISTED]]
        return _SEPARATOR[language].join(words)
    if isinstance(value, str):
        return _word(value, language) if unit is Unit.WORD else _name(value) if unit is Unit.NAME else value
    if unit is Unit.MONEY:
        return show(int(value), currency)
    if unit is Unit.EXPECTED_MONEY:
        return _expected(float(value), currency)
    if unit is Unit.PROBABILITY:
        return f"{_percent(100 * value)}%"
    return f"{_percent(value)}%" if unit is Unit.PERCENT else f"{value:,}"


def label(fact: Fact, language: Language) -> str:
    """A fact's name."""
    return fact.definition.zh if language is Language.ZH else fact.definition.en


def sentences(table: FactTable, language: Language, audience: Audience) -> list[Sentence]:
    """The deterministic text, sentence by sentence; every value in it comes from the table."""
    values = {fact.key: shown(fact, language, table.currency) for fact in table.facts if fact.value != ()}
    groups = _groups(table.kind, language, audience)
    return [said for group in groups if (said := say(group, values)) is not None]


def lead(table: FactTable, language: Language, audience: Audience) -> str:
    """The clause that says what was understood; empty where there is none."""
    values = {fact.key: shown(fact, language, table.currency) for fact in table.facts if fact.value != ()}
    said = say(leads(language)[audience].get(table.kind, ()), values)
    return "" if said is None else said.text


def sayable(kind: QuestionKind, language: Language, audience: Audience) -> frozenset[str]:
    """Keys of the facts that the fixed texts and the lead of a kind can state."""
    groups = (*_groups(kind, language, audience), leads(language)[audience].get(kind, ()))
    return frozenset(name for group in groups for name in _all(group))


def _groups(kind: QuestionKind, language: Language, audience: Audience) -> Groups:
    return texts(language)[audience].get(kind) or texts(language)[audience][QuestionKind.NONE]


def join(parts: Sequence[str], language: Language) -> str:
    """Sentences as one text."""
    return gap(language).join(parts)


def gap(language: Language) -> str:
    """Separator of two sentences."""
    return "" if language is Language.ZH else " "


def say(group: Sequence[str], values: Mapping[str, str]) -> Sentence | None:
    """Fill in the first sentence of a group whose facts are all known."""
    for sentence in group:
        marks = _MARKS.match(sentence)
        asked = [mark.strip() for mark in marks.group(1).split(",")] if marks else []
        body = sentence[marks.end() :] if marks else sentence
        if all((mark[1:] not in values) if mark.startswith("!") else mark in values for mark in asked) and (
            variables(body) <= values.keys()
        ):
            return Sentence(body.format_map(values), tuple(values[name] for name in sorted(variables(body))))
    return None


def variables(sentence: str) -> set[str]:
    """Keys of the facts that a sentence states."""
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


@cache
def texts(language: Language) -> Mapping[Audience, Mapping[QuestionKind, Groups]]:
    """All sentences of a language."""
    raw = yaml.safe_load((DATA / f"texts.{language}.yaml").read_text("utf-8"))
    found = TypeAdapter(dict[Audience, dict[QuestionKind, list[list[str]]]]).validate_python(raw)
    said = {name for kinds in found.values() for groups in kinds.values() for group in groups for name in _all(group)}
    if unknown := sorted(said - definitions().keys()):
        raise ValueError(f"texts.{language}.yaml says facts that are not defined: {unknown}; allowed: facts.yaml")
    return found


@cache
def leads(language: Language) -> Mapping[Audience, Mapping[QuestionKind, Sequence[str]]]:
    """All leads of a language."""
    raw = yaml.safe_load((DATA / f"leads.{language}.yaml").read_text("utf-8"))
    return TypeAdapter(dict[Audience, dict[QuestionKind, list[str]]]).validate_python(raw)


@cache
def _words() -> Mapping[str, Mapping[Language, str]]:
    raw = yaml.safe_load((DATA / "words.yaml").read_text("utf-8"))
    return TypeAdapter(dict[str, dict[Language, str]]).validate_python(raw)


def _all(group: Sequence[str]) -> set[str]:
    return {name for sentence in group for name in variables(_MARKS.sub("", sentence))}


def _word(code: str, language: Language) -> str:
    """A coded value in words; attributes of a profile share theirs, used or ignored; unknown ones keep their name."""
    detail = code.partition(".")[2] or code
    known = _words().get(code) or _words().get(f"attribute.{detail}")
    return _name(detail.replace("_", " ")) if known is None else known[language]


def _name(text: str) -> str:
    """A name on one line, without quotes of its own."""
    plain = " ".join(re.sub(r"[“”\"«»「」]", "'", text).split())
    return plain if len(plain) <= _NAME_CHARS else f"{plain[: _NAME_CHARS - 1]}…"


def _percent(value: float) -> str:
    """Two significant digits, one more above 99."""
    size = abs(value)
    if size >= 99 and round(value, 1) != round(value):
        return f"{value:.1f}"
    digits = 0 if size >= 10 or size == 0 else 1 - math.floor(math.log10(size))
    text = f"{value:.{min(digits, 8)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _expected(minor: float, currency: str) -> str:
    """Major units to three significant digits, and never fewer places than the currency has."""
    major = minor / 10 ** fraction_digits(currency)
    places = 2 - math.floor(math.log10(abs(major))) if major else 0
    return f"{Decimal(f'{major:.{min(12, max(fraction_digits(currency), places))}f}'):,} {currency}"
