"""Idempotency keys of POST requests: one answer for a key and payload, across processes and crashes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import ColumnElement, Connection, Row, delete, select, update
from uuid_utils import uuid7

from agent.domain.clock import Clock
from agent.store.engine import Database
from agent.store.repository import Repository
from agent.store.tables import IDEMPOTENCY

DEFAULT_TAKEOVER_S: Final = 60.0


class IdempotencyState(StrEnum):
    """State of an idempotency key when a request with it begins."""

    STARTED = "started"
    """The key is new, or its earlier request crashed: do the work, then finish or abandon."""
    IN_FLIGHT = "in_flight"
    """Another request with this key and payload is being answered."""
    MISMATCH = "mismatch"
    """The key was used for another payload."""
    REPLAY = "replay"
    """The work is done: replay the stored answer."""


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """A stored answer, byte for byte; `location` is its Location header."""

    status: int
    body: bytes
    media_type: str
    location: str | None = None


@dataclass(frozen=True, slots=True)
class IdempotencyResult:
    """State of a key, and the stored answer when it is REPLAY.

    Attributes:
        quote_id: Id for the request's quote, the same in every attempt; None for keys of an earlier release.
        again: An earlier attempt got no answer: its quote may be recorded already.
    """

    state: IdempotencyState
    response: StoredResponse | None = None
    quote_id: str | None = field(default=None, compare=False)
    again: bool = field(default=False, compare=False)


class IdempotencyRepository(Repository):
    """Idempotency keys; each API key has its own."""

    def __init__(self, database: Database, clock: Clock) -> None:
        """`clock` dates requests; clocks of several processes must agree to within seconds."""
        super().__init__(database)
        self._clock = clock

    def idempotency_begin(
        self, key_id: str, idem_key: str, payload_sha256: str, takeover_after_s: float = DEFAULT_TAKEOVER_S
    ) -> IdempotencyResult:
        """Claim a key, or find its state; exactly one of several concurrent claims gets STARTED.

        A claim without an answer after `takeover_after_s` counts as crashed, and the next request takes it over.
        """
        now = self._clock.now()
        quote_id = str(uuid7())
        claimed = {"payload_sha256": payload_sha256, "started_at": now, "quote_id": quote_id, "abandoned": False}
        row = {"key_id": key_id, "idem_key": idem_key, **claimed}
        insert = self._db.insert(IDEMPOTENCY).values(row).on_conflict_do_nothing(index_elements=["key_id", "idem_key"])
        claim = insert.execution_options(preserve_rowcount=True)
        with self._db.write() as connection:
            if connection.execute(claim).rowcount == 1:
                return IdempotencyResult(IdempotencyState.STARTED, quote_id=quote_id)
            # The row lock makes concurrent take-overs wait; SQLite locks the whole database.
            known = select(IDEMPOTENCY).where(_is(key_id, idem_key)).with_for_update()
            found = connection.execute(known).one_or_none()
            if found is None:  # abandoned between the two statements: the caller may try again
                return IdempotencyResult(IdempotencyState.IN_FLIGHT)
            if found.payload_sha256 != payload_sha256:
                if not found.abandoned:
                    return IdempotencyResult(IdempotencyState.MISMATCH)
                _take_over(connection, key_id, idem_key, claimed)
                return IdempotencyResult(IdempotencyState.STARTED, quote_id=quote_id)
            if found.status is not None:
                return _replay(found)
            if not found.abandoned and now - found.started_at < timedelta(seconds=takeover_after_s):
                return IdempotencyResult(IdempotencyState.IN_FLIGHT)
            _take_over(connection, key_id, idem_key, {"started_at": now, "abandoned": False})
        return IdempotencyResult(IdempotencyState.STARTED, quote_id=found.quote_id, again=True)

    def idempotency_finish(self, key_id: str, idem_key: str, answered: StoredResponse) -> None:
        """Store the answer for replays; if the claim was taken over meanwhile, the first answer is kept."""
        statement = (
            update(IDEMPOTENCY)
            .where(_is(key_id, idem_key), IDEMPOTENCY.c.status.is_(None))
            .values(
                status=answered.status,
                body=answered.body,
                media_type=answered.media_type,
                location=answered.location,
            )
        )
        with self._db.write() as connection:
            connection.execute(statement)

    def idempotency_abandon(self, key_id: str, idem_key: str) -> None:
        """Give up a claim without an answer: the key can be used again at once, for the same request or another.

        The quote id stays as long as an answer would: the quote may be recorded although its answer was not sent.
        """
        mine = _is(key_id, idem_key)
        statement = update(IDEMPOTENCY).where(mine, IDEMPOTENCY.c.status.is_(None)).values(abandoned=True)
        with self._db.write() as connection:
            connection.execute(statement)

    def purge_idempotency(self, before: datetime) -> int:
        """Delete keys first used before a moment; returns their number."""
        with self._db.write() as connection:
            return connection.execute(delete(IDEMPOTENCY).where(IDEMPOTENCY.c.started_at < before)).rowcount


def _is(key_id: str, idem_key: str) -> ColumnElement[bool]:
    return (IDEMPOTENCY.c.key_id == key_id) & (IDEMPOTENCY.c.idem_key == idem_key)


def _replay(row: Row[tuple[object, ...]]) -> IdempotencyResult:
    response = StoredResponse(row.status, bytes(row.body), row.media_type, row.location)
    return IdempotencyResult(IdempotencyState.REPLAY, response)


def _take_over(connection: Connection, key_id: str, idem_key: str, claimed: Mapping[str, object]) -> None:
    connection.execute(update(IDEMPOTENCY).where(_is(key_id, idem_key)).values(claimed))
