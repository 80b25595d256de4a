"""Stored API keys, as digests."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import insert, select, update

from agent.store.repository import Repository
from agent.store.rows import RecordTable
from agent.store.tables import API_KEYS


@dataclass(frozen=True, slots=True)
class ApiKeyRecord:
    """An API key; `scopes` are separated by blanks and defined in `agent.service.auth.api_keys`.

    Attributes:
        origins: Origins of a publishable key, separated by blanks; None for a secret one.
    """

    key_id: str
    name: str
    secret_sha256: str
    scopes: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    merchant: str = "default"
    per_minute: int | None = None
    origins: str | None = None


_KEY: Final = RecordTable(ApiKeyRecord, API_KEYS)


class ApiKeyRepository(Repository):
    """The API keys of all merchants."""

    def insert_key(self, record: ApiKeyRecord) -> None:
        """Add a key.

        Raises:
            StoreError: The id is taken.
        """
        with self._db.write() as connection:
            connection.execute(insert(API_KEYS), _KEY.parameters([record]))

    def key(self, key_id: str) -> ApiKeyRecord | None:
        """A key, even a revoked or expired one; None when unknown."""
        query = select(*_KEY.columns).where(API_KEYS.c.key_id == key_id)
        with self._db.read() as connection:
            row = connection.execute(query).first()
        return None if row is None else _KEY.record(row)

    def list_keys(self) -> Sequence[ApiKeyRecord]:
        """All keys, oldest first."""
        query = select(*_KEY.columns).order_by(API_KEYS.c.created_at, API_KEYS.c.key_id)
        with self._db.read() as connection:
            return [_KEY.record(row) for row in connection.execute(query)]

    def revoke_key(self, key_id: str, at: datetime) -> bool:
        """Revoke a key for ever; False when it is unknown or was revoked before."""
        statement = update(API_KEYS).where(API_KEYS.c.key_id == key_id, API_KEYS.c.revoked_at.is_(None))
        with self._db.write() as connection:
            return connection.execute(statement.values(revoked_at=at)).rowcount == 1

    def expire_key(self, key_id: str, at: datetime) -> None:
        """Set the expiry of a key."""
        with self._db.write() as connection:
            connection.execute(update(API_KEYS).where(API_KEYS.c.key_id == key_id).values(expires_at=at))

    def touch_key(self, key_id: str, at: datetime) -> None:
        """Record the last use of a key."""
        statement = update(API_KEYS).where(API_KEYS.c.key_id == key_id).values(last_used_at=at)
        with self._db.write() as connection:
            connection.execute(statement)
