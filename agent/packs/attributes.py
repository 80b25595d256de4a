"""Protected attributes: what they are called in field names and in free text."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from agent.packs.source import PROTECTED_FILE, read_data

_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SEPARATORS: Final = re.compile(r"[\W_]+")
_PERSON: Final = (
    "americans?|boys?|buyers?|citizens?|clients?|couples?|customers?|descent|families|family|females?|girls?|guys?|heritage|"
    "immigrants?|ladies|lady|males?|man|men|nationals?|people|persons?|residents?|shoppers?|students?|users?|veterans?|"
    "woman|women|workers?"
)
_SOMEBODY: Final = (
    r"i\s+am|i['\u2019]m|(?:he|she|customer|shopper|user|buyer|client)\s+is|they\s+are|we\s+are|^\s*is|identif\w+\s+as"
)
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
    """One attribute that may not set a price."""

    name: str
    label: str
    field_words: frozenset[str]
    field_parts: tuple[str, ...]
    text_pattern: re.Pattern[str]
    harmless: re.Pattern[str]

    def names(self, field: str) -> bool:
        """Whether a field of this name holds the attribute: `maritalStatus`, `customer_gender`, `客户性别`."""
        words = field_words(field)
        runs = {"".join(words[i:j]) for i in range(len(words)) for j in range(i + 1, min(len(words), i + 4) + 1)}
        return not runs.isdisjoint(self.field_words) or any(part in "".join(words) for part in self.field_parts)

    def in_text(self, text: str) -> bool:
        """Whether free text mentions it, in words that are not part of a harmless phrase."""
        return self.text_pattern.search(self.harmless.sub("\n", text)) is not None


def field_words(field: str) -> list[str]:
    """The words of a field name in lower case, whichever way it joins them."""
    split = _CAMEL.sub(" ", unicodedata.normalize("NFKC", field))
    return [word for word in _SEPARATORS.split(split.casefold()) if word]


@cache
def protected_attributes() -> Mapping[str, ProtectedAttribute]:
    """Every attribute that packs and jurisdictions may block, by name."""
    files = read_data(PROTECTED_FILE, TypeAdapter(dict[str, _AttributeFile]))
    return {
        name: ProtectedAttribute(
            name=name,
            label=file.label,
            field_words=frozenset("".join(field_words(field)) for field in file.fields if _ASCII.fullmatch(field)),
            field_parts=tuple(field for field in file.fields if not _ASCII.fullmatch(field)),
            text_pattern=_pattern(file.words, file.people),
            harmless=_phrases(file.harmless),
        )
        for name, file in files.items()
    }


def _pattern(words: tuple[str, ...], people: tuple[str, ...]) -> re.Pattern[str]:
    """One pattern for all words; possessives of products (`women's shoes`) are not mentions of the shopper."""
    persons = "|".join(_western(word) for word in people)
    of_a_person = [rf"(?:{persons})[\s-]+(?:{_PERSON})", rf"(?:{_SOMEBODY})\s+(?:an?\s+)?(?:{persons})(?=\W*$)"]
    western = [_western(word) for word in words if _ASCII.fullmatch(word)] + (of_a_person if people else [])
    ends = r"(?!\w|['\u2019](?:s|\s))"
    return re.compile("|".join([rf"(?<![\w'\u2019])(?:{'|'.join(western)}){ends}", *_chinese(words)]), re.IGNORECASE)


def _phrases(phrases: tuple[str, ...]) -> re.Pattern[str]:
    """One pattern for phrases; without any it matches nothing."""
    western = [_western(phrase) for phrase in phrases if _ASCII.fullmatch(phrase)]
    return re.compile("|".join([rf"\b(?:{'|'.join(western)})\b" if western else r"(?!)", *_chinese(phrases)]), re.I)


def _chinese(words: tuple[str, ...]) -> list[str]:
    return [re.escape(word.removesuffix("*")) for word in words if not _ASCII.fullmatch(word)]


def _western(word: str) -> str:
    stem = re.escape(word.removesuffix("*")).replace(r"\ ", r"[\s_-]+").replace(r"\-", r"[\s-]")
    return stem + (r"\w*" if word.endswith("*") else "")
