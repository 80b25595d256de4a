"""Protected attributes: recognition in field names and in free text, English and Chinese."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from agent.domain.characters import without_invisible
from agent.rules.packs.data_files import PROTECTED_FILE, read_data

_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SEPARATORS: Final = re.compile(r"[\W_]+")
_PERSON: Final = (
    "accents?|americans?|ancestry|background|boys?|buyers?|citizens?|clients?|community|couples?|customers?|descent|"
    "doctors?|drivers?|engineers?|expats?|families|family|farmers?|fathers?|females?|girls?|guys?|heritage|"
    "households?|husbands?|immigrants?|ladies|lady|lawyers?|males?|man|managers?|members?|men|mothers?|nationals?|"
    "nurses?|origins?|parents?|passports?|people|persons?|residents?|retirees?|roots|shoppers?|speakers?|students?|"
    "teachers?|tourists?|travell?ers?|users?|veterans?|wife|wives|woman|women|workers?"
)
_SOMEBODY: Final = (
    r"i\s+am|i['\u2019]m|(?:he|she|customer|shopper|user|buyer|client)\s+is|they\s+are|we\s+are|^\s*is|identif\w+\s+as"
)
_GAPS: Final = {" ": r"[\s_-]+", "-": r"[\s-]"}
_Parts = tuple[str, ...]
"""A word as parts of a pattern, mostly its letters."""
_ASCII: Final = re.compile(r"[\x00-\u02ff]+")


class _AttributeFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str = Field(min_length=1)
    fields: tuple[str, ...] = Field(min_length=1)
    words: tuple[str, ...] = Field(min_length=1)
    people: tuple[str, ...] = ()
    harmless: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProtectedAttribute:
    """A protected attribute, which may not set a price."""

    name: str
    label: str
    field_words: frozenset[str]
    field_parts: tuple[str, ...]
    text_pattern: re.Pattern[str]
    harmless: re.Pattern[str]

    def named_by(self, runs: frozenset[str], whole: str) -> bool:
        """Tell whether a field name names the attribute, by its runs of words and by the whole of it as one word."""
        return not runs.isdisjoint(self.field_words) or any(part in whole for part in self.field_parts)

    def in_text(self, text: str) -> bool:
        """Whether free text mentions the attribute outside harmless phrases."""
        return self.text_pattern.search(self.harmless.sub("\n", text)) is not None


@lru_cache(4_096)
def attributes_named(field: str) -> frozenset[str]:
    """Names of the attributes that a field of this name holds: `maritalStatus`, `customer_gender`, `客户性别`."""
    runs, whole = _runs(field)
    return frozenset(name for name, one in protected_attributes().items() if one.named_by(runs, whole))


def _runs(field: str) -> tuple[frozenset[str], str]:
    """Runs of up to four words of a field name, and all of it as one word."""
    words = field_words(field)
    runs = ("".join(words[i:j]) for i in range(len(words)) for j in range(i + 1, min(len(words), i + 4) + 1))
    return frozenset(runs), "".join(words)


def field_words(field: str) -> list[str]:
    """Words of a field name in lower case, from camel case or any separators."""
    split = _CAMEL.sub(" ", unicodedata.normalize("NFKC", without_invisible(field)))
    return [word for word in _SEPARATORS.split(split.casefold()) if word]


def may_mention(text: str) -> bool:
    """Whether free text contains a word of any attribute: one search that saves one for each attribute."""
    return _any_word().search(text) is not None


@cache
def _any_word() -> re.Pattern[str]:
    files = _files().values()
    words = {word: None for file in files for word in file.words}
    return _pattern(tuple(words), tuple({word: None for file in files for word in file.people}))


@cache
def _files() -> Mapping[str, _AttributeFile]:
    return read_data(PROTECTED_FILE, TypeAdapter(dict[str, _AttributeFile]))


@cache
def protected_attributes() -> Mapping[str, ProtectedAttribute]:
    """Attributes that packs and jurisdictions may block, by name."""
    return {
        name: ProtectedAttribute(
            name=name,
            label=file.label,
            field_words=frozenset("".join(field_words(field)) for field in file.fields if _ASCII.fullmatch(field)),
            field_parts=tuple(field for field in file.fields if not _ASCII.fullmatch(field)),
            text_pattern=_pattern(file.words, file.people),
            harmless=_phrases(file.harmless),
        )
        for name, file in _files().items()
    }


def _pattern(words: tuple[str, ...], people: tuple[str, ...]) -> re.Pattern[str]:
    """A pattern for all words; possessives of products (`women's shoes`) are not mentions of the shopper."""
    western = [_one_of(_western(words))]
    if people:
        persons = _one_of(_western(people))
        western.append(rf"{persons}[\s-]+(?:{_PERSON})")
        western.append(rf"(?:{_SOMEBODY})\s+(?:an?\s+)?{persons}(?=\W*$)")
    ends = r"(?!\w|['\u2019](?:s|\s))"
    return re.compile(rf"(?<![\w'\u2019])(?:{'|'.join(western)}){ends}|{_one_of(_chinese(words))}", re.IGNORECASE)


def _phrases(phrases: tuple[str, ...]) -> re.Pattern[str]:
    """A pattern for phrases; without any it matches nothing."""
    return re.compile(rf"\b{_one_of(_western(phrases))}\b|{_one_of(_chinese(phrases))}", re.IGNORECASE)


def _chinese(words: tuple[str, ...]) -> list[_Parts]:
    return [tuple(map(re.escape, word.removesuffix("*"))) for word in words if not _ASCII.fullmatch(word)]


def _western(words: tuple[str, ...]) -> list[_Parts]:
    found: list[_Parts] = []
    for word in words:
        if _ASCII.fullmatch(word):
            stem = [_GAPS.get(letter) or re.escape(letter) for letter in word.removesuffix("*")]
            found.append((*stem, r"\w*") if word.endswith("*") else tuple(stem))
    return found


def _one_of(words: Iterable[_Parts]) -> str:
    """A pattern for any of the words as a trie of shared prefixes, so that each position of a text is read once.

    Of words with a shared prefix the longest is tried first. Without words it matches nothing.
    """
    suffixes: dict[str, list[_Parts]] = {}
    ends = False
    for word in words:
        if word:
            suffixes.setdefault(word[0], []).append(word[1:])
        else:
            ends = True
    branches = [part + _one_of(rest) for part, rest in suffixes.items()]
    if not branches:
        return "" if ends else r"(?!)"
    one = branches[0] if len(branches) == 1 and not ends else f"(?:{'|'.join(branches)})"
    return one + "?" * ends
