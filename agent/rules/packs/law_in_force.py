"""Law in force: the version of a place's rules that holds on the day of a decision.

Each place is a folder of versions, `data/law/<code>/v<NNN>.yaml`; published ones never change (`data/law/lock.json` has
their digests). Of those whose days include the day of the decision, the one with the latest `in_force` holds; of two
with the same, the higher number. A place without one falls back to the broader place, and in the end to `other`, which
holds wherever and whenever no file does.

The day is that of the decision's own time by the real clock, not of `context.at` nor of a demo store's calendar: law
goes by when a price is offered. It is taken in the place's easternmost time zone (`utc_offset_hours`), so that a new
version never begins after midnight there; west of Greenwich the day is that of UTC.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from typing import Final

from pydantic import TypeAdapter

from agent.rules.packs.attributes import field_words, protected_attributes
from agent.rules.packs.data_files import LAW, read_data
from agent.rules.packs.errors import PackError
from agent.rules.packs.jurisdictions import Binding, Jurisdiction, covers

OTHER: Final = "other"

Versions = Sequence[Jurisdiction]


def law_of(place: str | None, day: date) -> Jurisdiction:
    """The rules that hold at a place on a day, those of `other` where it has none."""
    return find_jurisdiction(place, day) or _other(day)


@lru_cache(maxsize=4096)
def find_jurisdiction(place: str | None, day: date) -> Jurisdiction | None:
    """The rules of a place, by code or name, on a day; None without any of its own. `DE-BY` falls back to `DE`."""
    held = (_of_folder(folder, day) for folder in _folders_of(place))
    return next((law for law in held if law is not None), None)


def legal_day(place: str | None, at: datetime) -> date:
    """The day of a moment as the law of a place counts it."""
    return (at.astimezone(UTC) + timedelta(hours=_offset_hours(place))).date()


def law_at(place: str | None, at: datetime) -> Jurisdiction:
    """The rules that hold at a place at a moment."""
    return law_of(place, legal_day(place, at))


@lru_cache(maxsize=16_384)
def binding(place: str | None, category: str, day: date, *, consent: bool = False) -> Binding:
    """Rules of law for a price in a category, of a shopper who consented to a higher one or not."""
    law = law_of(place, day)
    return Binding(
        discount_only=law.code if law.discounts_only(category, consent=consent) else None,
        parity=law.code if law.parity else None,
        no_personal_prices=law.code if covers(law.no_personal_prices, category) else None,
    )


def jurisdictions(day: date) -> tuple[Jurisdiction, ...]:
    """The version of each place that holds on a day, that of `other` included."""
    held = (_of_folder(folder, day) for folder in _versions() if folder != OTHER)
    return (*(law for law in held if law is not None), _other(day))


def law_versions(place: str | None = None) -> tuple[Jurisdiction, ...]:
    """All versions of a place, oldest first; of every place where none is named, none of an unknown one."""
    if place is None:
        return tuple(version for versions in _versions().values() for version in versions)
    words = " ".join(field_words(place.upper()))
    folder = OTHER if words == OTHER else _folders().get(words)
    return () if folder is None else tuple(_versions()[folder])


def taking_effect(after: date, until: date) -> tuple[Jurisdiction, ...]:
    """Versions that begin to hold after one day and by another, soonest first."""
    found = [law for law in law_versions() if after < law.in_force <= until and law in jurisdictions(law.in_force)]
    return tuple(sorted(found, key=lambda law: law.in_force))


def holding(versions: Versions, day: date) -> Jurisdiction | None:
    """The version that holds on a day: the latest in force, and the higher number of two."""
    held = [version for version in versions if version.holds_on(day)]
    return max(held, key=lambda version: (version.in_force, version.version), default=None)


@lru_cache(maxsize=4096)
def _offset_hours(place: str | None) -> float:
    """Offset of a place's easternmost clocks from UTC, the largest that any of its versions names."""
    folder = next(_folders_of(place), OTHER)
    return max(version.utc_offset_hours for version in _versions()[folder])


def _folders_of(place: str | None) -> Iterator[str]:
    """Folders that a code or name means, the narrowest first: `DE-BY` is looked for before `DE`."""
    words = field_words((place or "").upper())
    names = (" ".join(words[:length]) for length in range(len(words), 0, -1))
    return (_folders()[name] for name in names if name in _folders())


def _of_folder(folder: str, day: date) -> Jurisdiction | None:
    """The version of a place, or of the broader place that its code names, on a day."""
    found = holding(_versions()[folder], day)
    broader, _, narrower = folder.rpartition("-")
    if found is not None or not narrower or not broader:
        return found
    above = _folders().get(" ".join(field_words(broader.upper())))
    return None if above is None else _of_folder(above, day)


def _other(day: date) -> Jurisdiction:
    """Rules where no law is known; the first version holds on days before it too."""
    versions = _versions()[OTHER]
    return holding(versions, day) or versions[0]


@cache
def _versions() -> Mapping[str, Versions]:
    """All versions by folder, by number.

    Raises:
        PackError: A file is malformed, or says that it is another.
    """
    found: dict[str, list[Jurisdiction]] = {}
    for path in sorted(LAW.glob("*/v*.yaml")):
        folder = path.parent.name
        law = read_data(f"law/{folder}/{path.stem}", TypeAdapter(Jurisdiction))
        if (law.code.lower(), f"v{law.version:03}") != (folder, path.stem):
            raise PackError(f"law/{folder}/{path.stem}.yaml says it is {law.name}; remedy: make file and content agree")
        if unknown := sorted(set(law.blocks) - protected_attributes().keys()):
            raise PackError(
                f"{law.name} blocks unknown attributes {unknown}; allowed: {sorted(protected_attributes())}"
            )
        found.setdefault(folder, []).append(law)
    return found


@cache
def _folders() -> Mapping[str, str]:
    """Folders by every code and name that any of their versions has."""
    found: dict[str, str] = {}
    for folder, versions in _versions().items():
        for name in (name for law in versions if folder != OTHER for name in (law.code, *law.aliases)):
            key = " ".join(field_words(name.upper()))
            if found.setdefault(key, folder) != folder:
                raise PackError(f"{folder} and {found[key]} both have the name {name!r}; remedy: remove one")
    return found
