"""Columns of a file under our names: resolved once a file, or once for each set of a row's own."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from agent.service.ingest.columns import MONEY, RowKind, names_of, needed_by
from agent.service.ingest.errors import ImportFormatError
from agent.service.ingest.near_misses import closest, near_miss, other_spelling, spelled
from agent.service.ingest.raw_rows import Layout
from agent.service.ingest.reading import Notes, ReadingOptions

ATTRIBUTES: Final = "attributes"
_PREFIXES: Final[Mapping[RowKind, tuple[str, ...]]] = {
    RowKind.PRODUCTS: (ATTRIBUTES,),
    RowKind.EVENTS: ("profile",),
    RowKind.OUTCOMES: ("profile", "context"),
    RowKind.SCORE: ("profile", "context", ATTRIBUTES),
}
_MOST_LAYOUTS: Final = 10_000  # kept; rows that each have columns of their own must not fill memory
GROUPS: Final = ("profile", "context", ATTRIBUTES)
_WHOLE: Final = {RowKind.SCORE: ("profile",)}  # a profile in words


@dataclass(slots=True)
class Headers:
    """Finds our columns among those of a file.

    Attributes:
        free: Whether each row names its own columns, as in NDJSON.
    """

    kind: RowKind
    options: ReadingOptions
    notes: Notes
    free: bool = False
    _kept: dict[tuple[str, ...], Layout] = field(default_factory=dict)
    _checked: set[str] | None = None

    def check(self, file: str, names: Sequence[str]) -> frozenset[str]:
        """Our columns in a file, once they fit the options and what is needed; what is not used is noted.

        Raises:
            ImportFormatError: An option names a column that is not there, a needed column is missing, or a name comes
                close to a column of money.
        """
        self._check_options(file, names)
        taken = set(self.layout(names).names) if not self.free else {self._ours(name) for name in names}
        taken |= {self._constant(name, names) for name in self.options.constants}
        self._note_unused(file, names, taken)
        missing = [name for name in needed_by(self.kind) if name not in taken]
        if missing and not self.free:
            raise ImportFormatError(self._missing(file, missing, names))
        self._checked = set(names)
        return frozenset(name for name in taken if name is not None)

    def layout(self, names: Sequence[str]) -> Layout:
        """The layout of rows with these columns, constants after them.

        Raises:
            ImportFormatError: Two columns are one of ours.
        """
        key = tuple(names)
        found = self._kept.get(key)
        if found is None:
            found = self._laid_out(key)
            if self._checked is not None and not self._checked.issuperset(key):
                self._note_unused("the row", [name for name in key if name not in self._checked], found.names)
                if len(self._checked) < _MOST_LAYOUTS:
                    self._checked.update(key)
            if len(self._kept) < _MOST_LAYOUTS:
                self._kept[key] = found
        return found

    def _laid_out(self, names: tuple[str, ...]) -> Layout:
        constants = [self._constant(name, names) for name in self.options.constants]
        ours = (*(self._ours(name) for name in names), *constants)
        theirs = (*names, *(f"--const {name}" for name in self.options.constants))
        first: dict[str, str] = {}
        for name, target in zip(theirs, ours, strict=True):
            if target is not None and first.setdefault(target, name) is not name:
                raise ImportFormatError(
                    f"the columns {first[target]!r} and {name!r} are both {target}; remedy: drop or rename one of them"
                )
        groups = {
            group: tuple((name, name[len(group) + 1 :]) for name in ours if name and name.startswith(f"{group}."))
            for group in _PREFIXES[self.kind]
        }
        return Layout(ours, groups, None not in ours)

    def _constant(self, name: str, names: Collection[str]) -> str:
        ours = self._known(name)
        if ours is None:
            raise ImportFormatError(f"--const names {name!r}; {self._allowed(name)}")
        clash = next((one for one in names if self._ours(one) == ours), None)
        if clash is not None:
            raise ImportFormatError(
                f"--const gives {ours}, and the file has the column {clash!r}; allowed: one of both"
            )
        return ours

    def _ours(self, name: str) -> str | None:
        """Our name of a column of the file; None where it is not used."""
        if not name.strip():
            return None
        mapped = self.options.mapping.get(name) or self.options.mapping.get(name.strip())
        if mapped is not None:
            return self._target(name, mapped)
        if name in self.options.attributes:
            return f"{ATTRIBUTES}.{name}"
        known = self._known(name)
        if known is None and self.kind is RowKind.PRODUCTS and not _group_of(name):
            return f"{ATTRIBUTES}.{name}"
        return known

    def _target(self, name: str, mapped: str) -> str:
        ours = self._known(mapped)
        if ours is None:
            raise ImportFormatError(f"--column maps {name!r} to {mapped!r}; {self._allowed(mapped)}")
        return ours

    def _known(self, name: str) -> str | None:
        """Our name where this is a spelling of it; for `profile.X` and its like, X as it is written."""
        text, columns = spelled(name), names_of(self.kind)
        exact = next((one for one in columns if spelled(one) == text), None) or other_spelling(name)
        if exact in columns or exact in _WHOLE.get(self.kind, ()):
            return exact
        if text in _WHOLE.get(self.kind, ()):
            return text
        group = _group_of(name)
        if group in _PREFIXES[self.kind]:
            rest = name.partition(".")[2].strip()
            return f"{group}.{rest}" if rest else None
        return None

    def _allowed(self, name: str) -> str:
        known = [*sorted(names_of(self.kind)), *(f"{group}.X" for group in _PREFIXES[self.kind])]
        meant = near_miss(name, self.kind) or closest(name, known)
        return f"{f'did you mean {meant}? ' if meant else ''}allowed: {', '.join(known)}"

    def _check_options(self, file: str, names: Sequence[str]) -> None:
        """Check that each column that an option names is in the file, once."""
        stripped = {name.strip() for name in names}
        for option, given in (("--column", self.options.mapping), ("--attribute", self.options.attributes)):
            for name in given:
                if name not in stripped:
                    meant = closest(name, stripped) or next(
                        (one for one in stripped if spelled(one) == spelled(name)), ""
                    )
                    raise ImportFormatError(
                        f"{option} names {name!r}, which {file} does not have; "
                        f"{f'did you mean {meant!r}? ' if meant else ''}its columns: {', '.join(map(repr, names))}"
                    )
        for theirs, ours in self.options.mapping.items():
            self._target(theirs, ours)

    def _note_unused(self, file: str, names: Sequence[str], taken: Collection[str | None]) -> None:
        """Note columns that are not used, and attributes that look like something else.

        Raises:
            ImportFormatError: An attribute looks like a column of money that no other column is.
        """
        stops: dict[str, str] = {}
        for name in names:
            ours = self._ours(name)
            is_other = self.kind is RowKind.PRODUCTS and ours == f"{ATTRIBUTES}.{name}"
            if name in self.options.attributes or not name.strip() or (ours is not None and not is_other):
                continue
            meant = near_miss(name, self.kind)
            remedy = f"did you mean {meant}? remedy: --column {_quoted(f'{name}={meant}')}"
            if ours is None:
                self.notes.ignore(name, _reason(name, self.kind) if meant is None or meant in taken else remedy)
            elif meant in MONEY and meant not in taken:
                stops[name] = meant
            elif meant in MONEY:
                self.notes.remarks[name] = f"is an attribute; {meant} is another column"
            elif meant is not None and meant not in taken:
                self.notes.remarks[name] = f"is an attribute; {remedy}"
        if stops:
            raise ImportFormatError(_stopped(file, stops))

    def _missing(self, file: str, missing: Sequence[str], names: Iterable[str]) -> str:
        near = {meant: name for name in names if (meant := near_miss(name, self.kind)) in missing}
        remedy = " ".join(f"--column {_quoted(f'{theirs}={ours}')}" for ours, theirs in near.items())
        known = ", ".join(sorted(names_of(self.kind)))
        return (
            f"{file} has no column {', '.join(missing)}; its columns: {', '.join(map(repr, names))}; allowed: {known}; "
            f"remedy: {f'did you mean {remedy}? else ' if remedy else ''}add it, rename one with --column theirs=ours, "
            "or give one value for all rows with --const column=value"
        )


def _group_of(name: str) -> str:
    """`profile` of `Profile.age`, and its like; empty for other names."""
    head, dot, _ = name.strip().partition(".")
    return head.casefold() if dot and head.casefold() in GROUPS else ""


def _reason(name: str, kind: RowKind) -> str:
    return "an event has no context" if kind is RowKind.EVENTS and _group_of(name) == "context" else ""


def _stopped(file: str, stops: Mapping[str, str]) -> str:
    listed = ", ".join(f"{name!r} (did you mean {meant}?)" for name, meant in stops.items())
    renamed = " ".join(f"--column {_quoted(f'{name}={meant}')}" for name, meant in stops.items())
    kept = " ".join(f"--attribute {_quoted(name)}" for name in stops)
    return (
        f"{file} has columns close to those that decide prices: {listed}; remedy: {renamed}, or {kept} where it is an "
        "attribute"
    )


def _quoted(text: str) -> str:
    return f"'{text}'" if any(not (char.isalnum() or char in "._=-") for char in text) else text
