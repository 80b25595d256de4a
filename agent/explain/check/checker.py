"""Checks a text against a fact table: it may state nothing that the facts do not.

1. Numbers: each must be a fact's value, exactly or correctly rounded, in the role that the words around it give it.
2. Names: what stands in quotation marks, and every capitalised word, must be a name among the facts.
3. Claims: reasons, directions, rules and topics need a fact that bears them out.
4. Lists of inputs hold nothing that is not in the fact, lists of limits all of them in their order.
5. Shoppers read nothing of cost, margin, profit or floor.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from agent.domain.money import fraction_digits
from agent.explain.check import chinese, english
from agent.explain.check.lexicon import HIDDEN, Claim, Cue
from agent.explain.check.numbers import Carries, Mention, mentions
from agent.explain.facts import Fact, FactTable, Unit
from agent.explain.questions import Audience, Language, QuestionKind

_SENTENCES: Final = re.compile(r"(?<=[.!?])\s+|(?<=[。！？；])")
_QUOTED: Final = re.compile(r"“([^”]*)”")
_CAPITALISED: Final = re.compile(r"(?<![.!?:;]\s)(?<!^)(?<![\w'])[A-Z][\w'-]+")
_KNOWN_CAPITALS: Final = frozenset(("Pricesmith", "USD", "EUR", "GBP", "CNY", "JPY", "I"))
_LATIN: Final = re.compile(r"[A-Za-z]{2,}")
_PLACEHOLDER: Final = "⟦T⟧"
_THIRTY_DAYS: Final = re.compile(r"30(?=\s?(?:days|天))")
_TOLERANCE: Final = Decimal("1e-9")


@dataclass(frozen=True, slots=True)
class Report:
    """Counts of what was checked, and every problem found."""

    numbers: int
    claims: int
    problems: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether the text may go out."""
        return not self.problems

    def __add__(self, other: "Report") -> "Report":
        """Reports of two texts as one."""
        return Report(self.numbers + other.numbers, self.claims + other.claims, (*self.problems, *other.problems))


def check(text: str, table: FactTable, language: Language, audience: Audience) -> Report:
    """Check every number, claim, direction and name of a text."""
    problems: list[str] = []
    numbers = claims = 0
    for raw in _sentences(text.strip()):
        sentence, wrong_names = _without_names(raw, table, language)
        read = _read(sentence, table, language)
        numbers += read.numbers
        claims += read.claims
        problems += [*wrong_names, *read.problems, *_lists(raw, table, language)]
    if audience is Audience.SHOPPER and (told := HIDDEN[language].search(_QUOTED.sub("", text))):
        problems.append(f"audience: {told.group()!r} is not for shoppers")
    return Report(numbers, claims, tuple(problems))


def _sentences(text: str) -> Iterator[str]:
    """Split a text into sentences; quoted names are never split."""
    start = 0
    for end in _SENTENCES.finditer(text):
        if text.count("“", start, end.start()) == text.count("”", start, end.start()):
            yield text[start : end.start()]
            start = end.end()
    yield text[start:]


def _read(sentence: str, table: FactTable, language: Language) -> Report:
    """Numbers, claims and directions of one sentence without its names."""
    book = chinese if language is Language.ZH else english
    if "prior_price" in table.keys:
        sentence = _THIRTY_DAYS.sub(Carries.PLAIN, sentence)
    sentence = re.sub(book.LIMITS, "", sentence, flags=re.IGNORECASE)  # `_lists` reads it
    found = mentions(sentence)
    plain = _masked(sentence, found)
    covered: list[tuple[int, int]] = []
    problems = list(_numbers(sentence, found, table, (book.CUES, covered)))
    if table.kind is QuestionKind.NONE:  # the text says what can be asked, and claims nothing
        return Report(len(found), 0, tuple(problems))
    known = frozenset((*table.keys, *_codes(table)))
    held = [(one, match.span()) for one in book.CLAIMS for match in one.pattern.finditer(plain)]
    covered += [span for _, span in held]
    problems += [f"{one.name}: {plain[slice(*span)]!r} is not borne out" for one, span in held if not _true(one, known)]
    for match in book.DIRECTIONS.finditer(plain):
        if not any(start <= match.start() and match.end() <= end for start, end in covered):
            problems.append(f"direction: nothing says what is {match.group()!r}")
    return Report(len(found), len(held), tuple(problems))


def _codes(table: FactTable) -> Iterator[str]:
    for fact in table.facts:
        if fact.unit is Unit.WORD and isinstance(fact.value, str):
            yield fact.value
        elif fact.unit is Unit.WORDS and isinstance(fact.value, tuple) and fact.key != "limits":
            yield from fact.value


def _true(one: Claim, known: frozenset[str]) -> bool:
    return (not one.needs or bool(one.needs & known)) and not one.bars & known


def _without_names(sentence: str, table: FactTable, language: Language) -> tuple[str, list[str]]:
    """The sentence with its names taken out, and the names that no fact holds."""
    names = sorted(_names(table), key=len, reverse=True)
    problems = []
    for quoted in _QUOTED.findall(sentence):
        if not any(_same_name(quoted, name) for name in names):
            problems.append(f"name: {quoted[:60]!r} is not among the facts")
    rest = _QUOTED.sub(f"“{_PLACEHOLDER}”", sentence)
    for name in names:
        if len(name) > 2:
            rest = rest.replace(_plain(name), _PLACEHOLDER)
    listed = {form for word in _codes(table) for form in (_detail(word), _spaced(word))}
    for one in sorted(listed, key=len, reverse=True):
        if len(one) > 2 and (language is Language.ZH or re.search(r"[\dA-Z]", one)):
            rest = rest.replace(one, _PLACEHOLDER)
    pattern = _LATIN if language is Language.ZH else _CAPITALISED
    allowed = _KNOWN_CAPITALS | {table.currency} | listed
    for word in pattern.findall(rest.replace("id", "") if language is Language.ZH else rest):
        if word not in allowed and not re.fullmatch(r"[A-Z]{3}", word):
            problems.append(f"name: {word!r} is not among the facts")
    return rest, problems


def _separated(fact: Fact | None, language: Language) -> str:
    names = fact.value[:5] if fact is not None and isinstance(fact.value, tuple) else ()
    return ("、" if language is Language.ZH else ", ").join(_plain(name) for name in names)


def _names(table: FactTable) -> Iterator[str]:
    for fact in table.facts:
        if fact.unit is Unit.NAME and isinstance(fact.value, str):
            yield fact.value
        elif fact.unit is Unit.NAMES and isinstance(fact.value, tuple):
            yield from fact.value


def _plain(name: str) -> str:
    """A name as a text may show it: on one line, its own quotation marks made single, cut where it is long."""
    line = " ".join(re.sub(r"[“”\"«»「」]", "'", name).split())
    return line if len(line) <= 80 else line[:79]


def _detail(code: str) -> str:
    return code.partition(".")[2] or code


def _spaced(code: str) -> str:
    return _plain(_detail(code).replace("_", " "))


def _same_name(shown: str, name: str) -> bool:
    return shown.rstrip("…") == _plain(name) or shown == name


def _masked(sentence: str, found: list[Mention]) -> str:
    """The sentence with placeholders for its numbers."""
    for mention in reversed(found):
        sentence = f"{sentence[: mention.start]}{mention.carries}{sentence[mention.end :]}"
    return sentence


def _numbers(
    sentence: str, found: list[Mention], table: FactTable, lexicon: tuple[tuple[Cue, ...], list[tuple[int, int]]]
) -> Iterator[str]:
    """Problems of the numbers; the spans of the words that gave them their roles are added to the lexicon's list."""
    cues, covered = lexicon
    plain = _masked(sentence, found)
    at = 0
    for mention in found:
        at = plain.index(mention.carries, at)
        told = sentence[mention.start : mention.end]
        role = _role(plain, at, mention.carries, (cues, table.keys))
        covered += role.spans
        at += len(mention.carries)
        equal = {fact.key for fact in table.facts if _equal(mention, fact, table.currency)}
        if not equal:
            yield f"number: {told!r} is no value among the facts"
        elif not role.keys:
            yield f"number: nothing says what {told!r} is"
        elif not role.keys & equal:
            yield f"number: {told!r} is said to be {' or '.join(sorted(role.keys))}, which it is not"


@dataclass(frozen=True, slots=True)
class _Role:
    """The role that the words around a number give it, and their positions."""

    keys: frozenset[str]
    spans: tuple[tuple[int, int], ...]


def _role(plain: str, at: int, carries: Carries, lexicon: tuple[tuple[Cue, ...], frozenset[str]]) -> _Role:
    """The role by the words right behind a number and the nearest before it; where both apply, their intersection."""
    cues, keys = lexicon
    fitting = [one for one in cues if one.carries is carries and (one.within is None or one.within.search(plain))]
    behind = [(one, match) for one in fitting if one.after and (match := one.pattern.match(plain, at + len(carries)))]
    before = [
        (match.end(), one.within is not None, one, match)
        for one in fitting
        if not one.after
        for match in one.pattern.finditer(plain, 0, at)
    ]
    rank = max((found[:2] for found in before), default=(-1, False))
    nearest = [(one, match) for end, inside, one, match in before if (end, inside) == rank]
    known = [(one, match) for one, match in nearest if one.keys & keys] or nearest
    spans = tuple(match.span() for _, match in (*known, *behind))
    left = frozenset(key for one, _ in known for key in one.keys)
    right = frozenset(key for one, _ in behind for key in one.keys)
    return _Role((left & right) or right or left, spans)


def _equal(mention: Mention, fact: Fact, currency: str) -> bool:
    """Whether a number is a fact's value, exactly or rounded to the places it shows."""
    value, unit = fact.value, fact.unit
    if unit is Unit.DATE:
        return mention.carries is Carries.DATE and mention.date == value
    if isinstance(value, str | tuple) or mention.carries is Carries.DATE:
        return False
    if mention.carries is Carries.MONEY:
        if currency not in mention.currencies or unit not in (Unit.MONEY, Unit.EXPECTED_MONEY):
            return False
        exact = Decimal(repr(value)).scaleb(-fraction_digits(currency))
    elif mention.carries is Carries.PERCENT:
        if unit not in (Unit.PERCENT, Unit.PROBABILITY):
            return False
        exact = Decimal(repr(float(value))) * (100 if unit is Unit.PROBABILITY else 1)
    else:
        if unit is not Unit.COUNT:
            return False
        exact = Decimal(repr(value))
    return abs(exact - mention.value) <= Decimal("0.5").scaleb(-mention.places) + _TOLERANCE


def _lists(sentence: str, table: FactTable, language: Language) -> Iterator[str]:
    book = chinese if language is Language.ZH else english
    for pattern, key in book.LISTS:
        match = re.search(pattern, sentence, re.IGNORECASE)
        if match is None:
            continue
        fact = table.get(key)
        codes = fact.value if fact is not None and isinstance(fact.value, tuple) else ()
        for item in re.split(r", |、", match.group(1)):
            names = {*book.ATTRIBUTES.get(item.strip(), ()), item.strip()}
            named = any(_plain(_detail(code)) in names or _spaced(code) in names for code in codes)
            if book.INPUTS.get(item.strip()) not in codes and not named:
                yield f"list: {item.strip()[:60]!r} is not among {key}"
    for pattern, keys in book.NAME_LISTS:
        match = re.search(pattern, sentence)
        if match is not None:
            lists = {_separated(table.get(key), language) for key in keys}
            if match.group(1) not in lists:
                yield f"list: {match.group(1)[:60]!r} are not the names among the facts"
    limits = re.search(book.LIMITS, sentence, re.IGNORECASE)
    if limits is not None:
        fact = table.get("limits")
        told = tuple(book.RULES.get(item.strip()) for item in re.split(r", |、", limits.group(1)))
        if fact is None or told != fact.value:
            yield f"list: {limits.group(1)[:60]!r} are not the limits in their order"
    for pattern, key, meanings in book.PHRASES:
        match = re.search(pattern, sentence, re.IGNORECASE)
        fact = table.get(key)
        if match is not None and (fact is None or meanings.get(match.group(1).strip()) != fact.value):
            yield f"{key}: {match.group(1).strip()[:60]!r} is not what the facts say"
