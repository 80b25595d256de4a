"""Screening: removes protected attributes from a shopper's profile before anything else reads it.

Field names are matched word by word; text is split into clauses, and a clause that mentions an attribute is dropped.
When in doubt, more is dropped. The result names what was dropped, never its value.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from agent.domain.characters import without_invisible
from agent.domain.decision import IgnoredInput
from agent.domain.records import Attribute
from agent.rules.packs import (
    Jurisdiction,
    Pack,
    ProtectedAttribute,
    attributes_named,
    find_jurisdiction,
    may_mention,
    protected_attributes,
)

PROFILE_TEXT: Final = "profile text"
_CLAUSES: Final = re.compile(  # after NFKC, which turns full-width punctuation into ASCII
    r"[.;,!?()\n。、]+(?!\d)|\b(?:and|but|who|which|with|whose|while)\b", re.IGNORECASE
)
_NAME_CHARS: Final = 80


@dataclass(frozen=True, slots=True)
class Screened:
    """The usable part of a profile; `text` is the rest of a profile given as text, else empty."""

    attributes: Mapping[str, Attribute]
    text: str
    ignored: tuple[IgnoredInput, ...]


NOTHING: Final = Screened({}, "", ())


@dataclass(frozen=True, slots=True)
class _Block:
    attribute: ProtectedAttribute
    reason: str


def screen_profile(profile: Mapping[str, Attribute] | str, pack: Pack, jurisdiction: str | None, day: date) -> Screened:
    """Split a profile into what may set a price in this pack and jurisdiction on a day and what may not."""
    blocks = _blocks(pack, find_jurisdiction(jurisdiction, day))
    if isinstance(profile, str):
        kept, hits = _screen_text(profile, blocks)
        return Screened({}, kept, _named(PROFILE_TEXT, hits))
    attributes: dict[str, Attribute] = {}
    ignored: list[IgnoredInput] = []
    for name, value in profile.items():
        shown = name[:_NAME_CHARS]
        named = attributes_named(name)
        by_name = next((block for block in blocks if block.attribute.name in named), None) if named else None
        if by_name is not None:
            ignored.append(IgnoredInput(shown, by_name.reason))
        elif isinstance(value, str):
            kept, hits = _screen_text(value, blocks)
            ignored.extend(_named(shown, hits))
            if kept or not hits:
                attributes[name] = kept if hits else value
        else:
            attributes[name] = value
    return Screened(attributes, "", tuple(ignored))


def _blocks(pack: Pack, place: Jurisdiction | None) -> list[_Block]:
    known = protected_attributes()
    blocks = [_Block(known[name], f"protected attribute: {known[name].label}") for name in pack.protected]
    if place is not None:
        for name in place.blocks:
            if name not in pack.protected:
                blocks.append(_Block(known[name], f"protected attribute in {place.label}: {known[name].label}"))
    return blocks


def _screen_text(text: str, blocks: Iterable[_Block]) -> tuple[str, list[_Block]]:
    """The clauses that mention nothing protected, and the blocks that removed the others."""
    normal = unicodedata.normalize("NFKC", without_invisible(text))
    hits: dict[str, _Block] = {}
    kept = []
    for clause in _CLAUSES.split(normal):
        found = [block for block in blocks if block.attribute.in_text(clause)] if may_mention(clause) else []
        hits.update({block.attribute.name: block for block in found})
        if not found and clause.strip():
            kept.append(clause.strip())
    return (", ".join(kept) if hits else text.strip()), list(hits.values())


def _named(name: str, hits: Iterable[_Block]) -> tuple[IgnoredInput, ...]:
    return tuple(IgnoredInput(name, f"mentions a {block.reason}") for block in hits)
