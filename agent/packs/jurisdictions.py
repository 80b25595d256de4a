"""Jurisdictions: what a place forbids and what it wants shoppers to be told."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from agent.packs.attributes import field_words, protected_attributes
from agent.packs.errors import PackError
from agent.packs.source import JURISDICTIONS_FILE, read_data


class _JurisdictionFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str = Field(min_length=1)
    aliases: tuple[str, ...]
    blocks: tuple[str, ...]
    notice: str = Field(min_length=1)
    discount_only: tuple[str, ...] = ()
    source: str = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Jurisdiction:
    """A place with rules of its own.

    Attributes:
        blocks: Attributes that may not be used there, beyond those of the pack.
        notice: Must be shown with a personalised price; `{inputs}` stands for the inputs used.
        discount_only: Words of categories in which no personal price may lie above the reference; `*` means all.
        source: The law.
    """

    code: str
    label: str
    blocks: tuple[str, ...]
    notice: str
    discount_only: tuple[str, ...]
    source: str


def discount_only(place: str | None, category: str) -> str | None:
    """The code of a place whose law lets personal prices of a category only go down, None when none does.

    Goods without a category are taken for those that the law means.
    """
    found = find_jurisdiction(place)
    if found is None or not found.discount_only:
        return None
    words = set(field_words(category.upper()))
    meant = not words or found.discount_only == ("*",) or not words.isdisjoint(found.discount_only)
    return found.code if meant else None


def find_jurisdiction(text: str | None) -> Jurisdiction | None:
    """The jurisdiction that a code or name means, None when it has no rules here. `DE-BY` falls back to `DE`."""
    words = field_words((text or "").upper())
    for length in range(len(words), 0, -1):
        found = _by_name().get(" ".join(words[:length]))
        if found is not None:
            return found
    return None


@cache
def _by_name() -> Mapping[str, Jurisdiction]:
    found: dict[str, Jurisdiction] = {}
    for code, file in read_data(JURISDICTIONS_FILE, TypeAdapter(dict[str, _JurisdictionFile])).items():
        if unknown := sorted(set(file.blocks) - protected_attributes().keys()):
            raise PackError(f"jurisdiction {code} blocks {unknown}; allowed: {sorted(protected_attributes())}")
        jurisdiction = Jurisdiction(code, file.label, file.blocks, file.notice, tuple(file.discount_only), file.source)
        for name in (code, *file.aliases):
            key = " ".join(field_words(name.upper()))
            if found.setdefault(key, jurisdiction) is not jurisdiction:
                raise PackError(f"jurisdictions {code} and {found[key].code} both claim {name!r}; keep one")
    return found
