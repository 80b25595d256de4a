"""Jurisdictions: the limits and notices that the law of a place demands.

Each place is a folder of versions, `data/law/<code>/v<NNN>.yaml`, of which the newest applies; `data/law/lock.json`
has the digests of published ones. For unknown places, and without a place, `other` applies.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from agent.rules.packs.attributes import field_words, protected_attributes
from agent.rules.packs.data_files import LAW, read_data
from agent.rules.packs.errors import PackError

_OTHER: Final = "other"


class Citation(BaseModel):
    """Source of a rule, and its meaning in our words."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    law: str = Field(min_length=1)
    article: str = Field(min_length=1)
    says: str = Field(min_length=1)


class Jurisdiction(BaseModel):
    """One version of a place's rules.

    Attributes:
        in_force: Date from which the latest of the sources applies.
        notes: Reading of the sources where they are ambiguous: the strict one.
        blocks: Attributes that may not be used there, beyond those of the pack.
        notice: Notice required with a personalised price; `{inputs}` stands for the inputs used.
        option: Mention of the price for everyone, beside a personalised one.
        discount_only: Words of categories in which no personal price may exceed the reference; `*` means all.
        prior_price_days: Days before a reduction whose lowest price it is announced from; None for no such rule.
        parity: Whether no price may exceed that of an unknown shopper.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str = Field(pattern=r"^[A-Z]{2,5}(-[A-Z]{2})?$")
    version: int = Field(ge=1)
    label: str = Field(min_length=1)
    aliases: tuple[str, ...]
    in_force: date
    sources: tuple[Citation, ...] = Field(min_length=1)
    notes: tuple[str, ...] = ()
    blocks: tuple[str, ...] = ()
    notice: str = Field(min_length=1)
    option: str = Field(min_length=1)
    discount_only: tuple[str, ...] = ()
    prior_price_days: int | None = Field(default=None, ge=30)
    parity: bool = False

    @property
    def name(self) -> str:
        """Code and version, as decisions record them."""
        return f"{self.code}/{self.version}"

    def discounts_only(self, category: str) -> bool:
        """Whether personal prices in a category may not exceed the reference price.

        Products without a category are assumed to be covered by the law.
        """
        words = set(field_words(category.upper()))
        if not self.discount_only or self.discount_only == ("*",):
            return bool(self.discount_only)
        return not words or not words.isdisjoint(self.discount_only)


@dataclass(frozen=True, slots=True)
class Binding:
    """Rules of law for the gateway: codes of the place, None where it has no such rule."""

    discount_only: str | None
    parity: str | None


def binding(place: str | None, category: str) -> Binding:
    """Rules of law for prices in a category at a place."""
    law = law_of(place)
    return Binding(law.code if law.discounts_only(category) else None, law.code if law.parity else None)


def law_of(text: str | None) -> Jurisdiction:
    """The rules of a place, those of `other` where it has none."""
    return find_jurisdiction(text) or _newest()[_OTHER]


def find_jurisdiction(text: str | None) -> Jurisdiction | None:
    """The jurisdiction with a code or name; None without rules of its own. `DE-BY` falls back to `DE`."""
    words = field_words((text or "").upper())
    for length in range(len(words), 0, -1):
        found = _by_name().get(" ".join(words[:length]))
        if found is not None:
            return found
    return None


def jurisdictions() -> tuple[Jurisdiction, ...]:
    """All jurisdictions, `other` included."""
    return tuple(_newest().values())


@cache
def _newest() -> Mapping[str, Jurisdiction]:
    """The newest version of each place, by folder."""
    found: dict[str, Jurisdiction] = {}
    for folder in sorted(path for path in LAW.iterdir() if path.is_dir()):
        newest = max(path.stem for path in folder.glob("v*.yaml"))
        law = read_data(f"law/{folder.name}/{newest}", TypeAdapter(Jurisdiction))
        if (law.code.lower(), f"v{law.version:03}") != (folder.name, newest):
            raise PackError(
                f"law/{folder.name}/{newest}.yaml says it is {law.name}; remedy: make file and content agree"
            )
        if unknown := sorted(set(law.blocks) - protected_attributes().keys()):
            raise PackError(
                f"{law.code} blocks unknown attributes {unknown}; allowed: {sorted(protected_attributes())}"
            )
        found[folder.name] = law
    return found


@cache
def _by_name() -> Mapping[str, Jurisdiction]:
    found: dict[str, Jurisdiction] = {}
    for law in (law for folder, law in _newest().items() if folder != _OTHER):
        for name in (law.code, *law.aliases):
            key = " ".join(field_words(name.upper()))
            if found.setdefault(key, law) is not law:
                raise PackError(f"{law.code} and {found[key].code} both have the name {name!r}; remedy: remove one")
    return found
