"""Idempotency of POST requests: one answer for one key and payload, across processes and crashes."""

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
    """What a request with an idempotency key meets."""

    STARTED = "started"
    """The key is new, or its holder crashed: do the work, then finish or abandon."""
    IN_FLIGHT = "in_flight"
    """Another request with this key and payload is being answered."""
    MISMATCH = "mismatch"
    """The key was used for another payload."""
    REPLAY = "replay"
    """The work is done: give the stored answer."""


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """An answer as it was sent."""

    status: int
    body: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class IdempotencyResult:
    """The state, and the answer when the state is REPLAY.

    Attributes:
        quote_id: The id that the request's quote has, however often it is tried; None for keys of an earlier version.
        again: The request was begun before and got no answer: its quote may be recorded already.
    """

    state: IdempotencyState
    response: StoredResponse | None = None
    quote_id: str | None = field(default=None, compare=False)
    again: bool = field(default=False, compare=False)


class IdempotencyRepository(Repository):
    """Idempotency keys, each within one API key."""

    def __init__(self, database: Database, clock: Clock) -> None:
        """`clock` dates the start of requests; it should agree between processes to within seconds."""
        super().__init__(database)
        self._clock = clock

    def idempotency_begin(
        self, key_id: str, idem_key: str, payload_sha256: str, takeover_after_s: float = DEFAULT_TAKEOVER_S
    ) -> IdempotencyResult:
        """Claim the key, or learn what became of it. Of concurrent claims exactly one gets STARTED.

        A claim older than `takeover_after_s` without an answer counts as crashed and is given to the next request.
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
            # The lock makes concurrent take-overs wait for each other; SQLite has it from the start.
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

    def idempotency_finish(
        self, key_id: str, idem_key: str, status: int, body: bytes, media_type: str = "application/json"
    ) -> None:
        """Keep the answer for replays. The first answer stands, should a claim have been taken over meanwhile."""
        statement = (
            update(IDEMPOTENCY)
            .where(_is(key_id, idem_key), IDEMPOTENCY.c.status.is_(None))
            .values(status=status, body=body, media_type=media_type)
        )
        with self._db.write() as connection:
            connection.execute(statement)

    def idempotency_abandon(self, key_id: str, idem_key: str) -> None:
        """Give up a claim without an answer, so that the same request may be tried again at once, or another be made.

        Its quote keeps its id for as long as an answer would be kept: it may have been recorded for somebody who was
        gone before the answer.
        """
        mine = _is(key_id, idem_key)
        statement = update(IDEMPOTENCY).where(mine, IDEMPOTENCY.c.status.is_(None)).values(abandoned=True)
        with self._db.write() as connection:
            connection.execute(statement)

    def purge_idempotency(self, before: datetime) -> int:
        """Forget keys first used before `before`; returns how many."""
        with self._db.write() as connection:
            return connection.execute(delete(IDEMPOTENCY).where(IDEMPOTENCY.c.started_at < before)).rowcount


def _is(key_id: str, idem_key: str) -> ColumnElement[bool]:
    return (IDEMPOTENCY.c.key_id == key_id) & (IDEMPOTENCY.c.idem_key == idem_key)


def _replay(row: Row[tuple[object, ...]]) -> IdempotencyResult:
    response = StoredResponse(status=row.status, body=bytes(row.body), media_type=row.media_type)
    return IdempotencyResult(IdempotencyState.REPLAY, response)


def _take_over(connection: Connection, key_id: str, idem_key: str, claimed: Mapping[str, object]) -> None:
    connection.execute(update(IDEMPOTENCY).where(_is(key_id, idem_key)).values(claimed))
