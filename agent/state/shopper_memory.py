"""Shopper memory as read back from the store: histories folded and texts encoded ahead of quotes."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Final, Protocol

import numpy as np

from agent.domain.records import EventRecord, ShopperRecord
from agent.store.shopper_memory import ShopperMemory, StoredPast
from models.encoder.encoder import Vectors
from models.shopper.history import ShopperHistory
from models.shopper.history_codec import decode_history, encode_history

_DIGEST_BYTES: Final = 16
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NEVER: Final = datetime(9999, 12, 31, tzinfo=UTC)

ChecksumOf = Callable[[Iterable[str]], int]
"""Checksum of all that a fold reads of some products, beside their weekly facts."""


def digest_of(text: str) -> bytes:
    """Digest of a text, by which its encoder state is found."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).digest()


@dataclass(frozen=True, slots=True)
class EncodedText:
    """Encoder state `(dim,)` of the text with a digest, by one version of the encoder.

    Attributes:
        seq: Number of the last event of the history that is kept in the store beside it.
        expires_s: When the text changes without a new event, Unix seconds on the behaviour clock; None if never.
    """

    version: str
    digest: bytes
    state: Vectors
    seq: int
    expires_s: float | None


@dataclass(frozen=True, slots=True)
class FoldedHistory:
    """A history, and what it rests on.

    Attributes:
        seq, first_s, last_s: Number of its last event; times of its first and its last (Unix seconds).
        estimated: Some price ratio is over a reference price, as the event named no list price.
        kept: Encoded text, as the store keeps it; None when the store keeps none.
        stale: The store may have more events.
    """

    history: ShopperHistory = field(default_factory=ShopperHistory)
    seq: int = 0
    first_s: float = math.inf
    last_s: float = -math.inf
    estimated: bool = False
    kept: EncodedText | None = None
    stale: bool = False


class MemorySource(Protocol):
    """Source of shopper memory; the store is one."""

    def shopper_pasts(self, known: Mapping[str, int], *, whole: bool = False) -> dict[str, StoredPast]:
        """Stored memory of some shoppers, and events since that and since the last event that is known, by id."""
        ...


@dataclass(frozen=True, slots=True)
class KeptHistory:
    """Stored data of one shopper.

    Attributes:
        record: Profile and consent; None where nothing was told of them.
        folded: The kept history; None where there is none that applies.
        newest: Number of the last event; 0 without one.
        events: Events after `folded` and after those that the reader knew, each with its number; None where they are
            to be read by themselves.
    """

    record: ShopperRecord | None
    folded: FoldedHistory | None
    newest: int
    events: Sequence[tuple[int, EventRecord]] | None


@dataclass(frozen=True, slots=True)
class MemoryReader:
    """Reads what the store keeps of shoppers, and leaves out what products' new words have outdated."""

    source: MemorySource
    checksum_of: ChecksumOf

    def read(self, known: Mapping[str, int], *, whole: bool = False) -> Mapping[str, KeptHistory]:
        """Kept histories of some shoppers, by id; `known` has the number of the last event that the reader knows.

        With `whole` the events of shoppers of whom nothing is known and kept are read too.
        """
        found = {}
        for shopper_id, past in self.source.shopper_pasts(known, whole=whole).items():
            folded = None if past.memory is None else self._folded(past.memory)
            kept = 0 if past.memory is None else past.memory.seq
            start = max(known[shopper_id], kept)
            has_start = (start > 0 or whole) and (folded is not None or known[shopper_id] == start)
            events = past.events if has_start else None
            found[shopper_id] = KeptHistory(past.record, folded, past.newest, events)
        return found

    def _folded(self, row: ShopperMemory) -> FoldedHistory | None:
        history = decode_history(row.history)
        if history is None or row.labels != self.checksum_of(products_of(history)):
            return None
        state = np.frombuffer(row.state, np.float32)
        expires_s = None if row.expires_at is None else row.expires_at.timestamp()
        kept = EncodedText(row.encoder, row.digest, state, row.seq, expires_s)
        first_s, last_s = row.first_at.timestamp(), row.last_at.timestamp()
        if row.seq == 0:  # a profile alone
            return FoldedHistory(kept=kept)
        return FoldedHistory(history, row.seq, first_s, last_s, row.late_sales is not None, kept)


@dataclass(frozen=True, slots=True)
class Basis:
    """Bases of a shopper's memory beside events: the count of late sales, and the checksum of products' words."""

    late_sales: int
    labels: int


def products_of(history: ShopperHistory) -> set[str]:
    """Products whose words a history has taken in."""
    looked_at = {act.product for act in history.session if act.product}
    return history.products.keys() | history.declined.keys() | looked_at


def to_row(shopper_id: str, folded: FoldedHistory, text: EncodedText, basis: Basis) -> ShopperMemory:
    """A shopper's memory as the store keeps it."""
    return ShopperMemory(
        shopper_id=shopper_id,
        seq=folded.seq,
        first_at=_moment(folded.first_s) if folded.seq else _NEVER,
        last_at=_moment(folded.last_s) if folded.seq else _EPOCH,
        late_sales=basis.late_sales if folded.estimated else None,
        labels=basis.labels,
        encoder=text.version,
        digest=text.digest,
        expires_at=None if text.expires_s is None else _moment(text.expires_s),
        state=np.asarray(text.state, np.float32).tobytes(),
        history=encode_history(folded.history),
    )


def _moment(at_s: float) -> datetime:
    return datetime.fromtimestamp(at_s, UTC)
