"""Identity of imported rows without an id column: their content, and which of several identical rows of a file each is.

A log that is exported again has the rows of before at other lines, with new columns or another spelling of numbers.
A row's id is therefore a digest of what happened (who, which product, price, bought or not, how many, when) and, as a
file may rightly have identical rows, the number of its occurrence: the third of three identical rows is the third in
every later export too, wherever it stands. Columns that describe the situation or the log are no part of it: reference
price, cost, propensity, weight, profile and context may be added to a later export.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b, sha256
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agent.domain.records import OutcomeRecord
from agent.service.ingest.raw_rows import RawRow
from agent.store.column_types import micros

_LARGEST: Final = 1_000_000  # keys in one run: merging larger ones would take memory for a moment
_SEPARATOR: Final = "\x1f"

Keys = NDArray[np.uint64]


def outcome_content(outcome: OutcomeRecord) -> str:
    """Digest of an outcome's content; it begins with the time, so that files in time order fill the index in order."""
    parts = (
        outcome.shopper_id or "",
        outcome.product_id or "",
        outcome.currency,
        str(outcome.price_minor),
        str(outcome.quantity),
        outcome.type.value,
    )
    digest = blake2b(_SEPARATOR.join(parts).encode(), digest_size=12).hexdigest()
    return f"row:{micros(outcome.at):016x}:{digest}"


def numbered_id(content: str, occurrence: int) -> str:
    """Id of the n-th row with a content, counted from 1."""
    return content if occurrence == 1 else f"{content}:{occurrence}"


def line_id(row: RawRow, mapping: Mapping[str, str]) -> str:
    """Id that earlier releases gave a row: from its line and all its cells, with columns renamed by `mapping`."""
    cells = {mapping.get(name, name): value for name, value in zip(row.names, row.values, strict=False)}
    content = json.dumps([row.line, sorted((name, str(value)) for name, value in cells.items())])
    return "import-" + sha256(content.encode()).hexdigest()[:32]


class Occurrences:
    """Counts of texts, twelve bytes for each different one, so that those of millions of rows stay small.

    Texts are compared by 64 bits of a hash: two different ones of five million agree once in a million files, and are
    then taken for two occurrences of one. Counts are kept in sorted runs, as in a log-structured merge tree.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        """Count some texts to begin with."""
        self._runs: list[tuple[Keys, NDArray[np.uint32]]] = []
        self.number(list(texts))

    def number(self, texts: Sequence[str]) -> list[int]:
        """Count texts; returns the number of occurrences of each so far, itself included."""
        if not texts:
            return []
        unique, inverse, counts = np.unique(_keys(texts), return_inverse=True, return_counts=True)
        before = self._add(unique, counts.astype(np.uint32))
        numbers: list[int] = (before[inverse] + 1 + _ranks(inverse, counts)).tolist()
        return numbers

    def counts(self, texts: Sequence[str]) -> list[int]:
        """Number of occurrences of each text so far."""
        keys = _keys(texts)
        found = np.zeros(len(keys), np.int64)
        for run, counts in self._runs:
            place, here = _find(run, keys)
            found[here] = counts[place[here]]
        return found.tolist()

    def _add(self, keys: Keys, counts: NDArray[np.uint32]) -> NDArray[np.int64]:
        """Add to the counts of distinct sorted keys; returns those before."""
        before = np.zeros(len(keys), np.int64)
        for run, known in self._runs:
            place, here = _find(run, keys)
            before[here] = known[place[here]]
            known[place[here]] += counts[here]
        new = before == 0
        if new.any():
            self._runs.append((keys[new], counts[new]))
            self._merge()
        return before

    def _merge(self) -> None:
        """Merge the last two runs while they are of like size, so that there are few."""
        while len(self._runs) > 1:
            (first, _), (second, _) = self._runs[-2:]
            if len(first) > 2 * len(second) or len(first) + len(second) > _LARGEST:
                return
            pairs = self._runs[-2:]
            keys, counts = (np.concatenate(columns) for columns in zip(*pairs, strict=True))
            order = np.argsort(keys, kind="stable")
            self._runs[-2:] = [(keys[order], counts[order])]


def _keys(texts: Sequence[str]) -> Keys:
    digests = b"".join([blake2b(text.encode(), digest_size=8).digest() for text in texts])
    return np.frombuffer(digests, np.uint64)


def _find(run: Keys, keys: Keys) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Places of keys in a sorted run, and whether each is there."""
    place = np.minimum(np.searchsorted(run, keys), len(run) - 1)
    return place, run[place] == keys


def _ranks(group: NDArray[np.intp], counts: NDArray[np.intp]) -> NDArray[np.int64]:
    """Number of earlier members of each member's group, `(n,)`."""
    if len(counts) == len(group):
        return np.zeros(len(group), np.int64)
    order = np.argsort(group, kind="stable")
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    ranks = np.empty(len(group), np.int64)
    ranks[order] = np.arange(len(group)) - starts
    return ranks
