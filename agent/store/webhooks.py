"""Webhooks and their outbox: messages are stored with their subjects and deleted once delivered."""

import json
import secrets
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select, update
from uuid_utils import uuid7

from agent.store.engine import Database
from agent.store.repository import Repository
from agent.store.statements import Statement
from agent.store.tables import WEBHOOK_OUTBOX, WEBHOOKS
from agent.store.webhook_messages import Message, WebhookEvent

_SECRET_BYTES: Final = 32
_ANY: Final = Statement.of("SELECT 1 FROM webhooks LIMIT 1")


@dataclass(frozen=True, slots=True)
class WebhookRecord:
    """A receiver of events; `secret` signs messages and is known to the receiver."""

    webhook_id: str
    url: str
    secret: str
    events: tuple[WebhookEvent, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class DueMessage:
    """A message due for delivery, after `attempts` failed ones."""

    seq: int
    webhook_id: str
    url: str
    secret: str
    message_id: str
    body: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """Numbers of a webhook's waiting and given-up messages, and its last delivery error."""

    waiting: int
    given_up: int
    trouble: str | None


class WebhookRepository(Repository):
    """Webhooks and their messages."""

    def add_webhook(self, url: str, events: Sequence[WebhookEvent], now: datetime) -> WebhookRecord:
        """Register a webhook for events from now on."""
        secret = "whsec_" + b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
        record = WebhookRecord(str(uuid7()), url, secret, tuple(sorted(set(events))), now)
        row = {name: getattr(record, name) for name in ("webhook_id", "url", "secret", "created_at")}
        with self._db.write() as connection:
            connection.execute(insert(WEBHOOKS).values({**row, "events": json.dumps(record.events)}))
        return record

    def webhooks(self) -> list[WebhookRecord]:
        """All webhooks, oldest first."""
        with self._db.read() as connection:
            return [_record(row) for row in connection.execute(select(WEBHOOKS).order_by(WEBHOOKS.c.webhook_id))]

    def remove_webhook(self, webhook_id: str) -> bool:
        """Delete a webhook and its messages; False when it is unknown."""
        with self._db.write() as connection:
            connection.execute(delete(WEBHOOK_OUTBOX).where(WEBHOOK_OUTBOX.c.webhook_id == webhook_id))
            return connection.execute(delete(WEBHOOKS).where(WEBHOOKS.c.webhook_id == webhook_id)).rowcount > 0

    def enqueue(self, messages: Sequence[Message], now: datetime) -> None:
        """Put messages into the outbox, but for those already in it."""
        with self._db.write() as connection:
            enqueue_messages(self._db, connection, messages, now)

    def webhooks_due(self, now: datetime, lease: timedelta, most: int) -> list[DueMessage]:
        """Lease due messages: no other process gets them before the lease ends."""
        box = WEBHOOK_OUTBOX.c
        query = select(WEBHOOK_OUTBOX, WEBHOOKS.c.url, WEBHOOKS.c.secret).join(
            WEBHOOKS, WEBHOOKS.c.webhook_id == box.webhook_id
        )
        query = query.where(box.due_at <= now).order_by(box.due_at, box.seq).limit(most)
        with self._db.read() as connection:
            if connection.execute(query.limit(1)).first() is None:
                return []  # the usual case needs no write transaction
        with self._db.write() as connection:
            rows = connection.execute(query.with_for_update(of=WEBHOOK_OUTBOX, skip_locked=True)).all()
            taken = update(WEBHOOK_OUTBOX).where(box.seq.in_([row.seq for row in rows]))
            connection.execute(taken.values(due_at=now + lease))
        return [
            DueMessage(row.seq, row.webhook_id, row.url, row.secret, row.message_id, row.body, row.attempts)
            for row in rows
        ]

    def webhook_delivered(self, seq: int) -> None:
        """Delete a delivered message."""
        with self._db.write() as connection:
            connection.execute(delete(WEBHOOK_OUTBOX).where(WEBHOOK_OUTBOX.c.seq == seq))

    def webhook_failed(self, seq: int, trouble: str, later: datetime | None) -> None:
        """Schedule the next attempt, or give up with `later` None; the message then stays for the merchant to see."""
        changes = {"attempts": WEBHOOK_OUTBOX.c.attempts + 1, "trouble": trouble, "due_at": later}
        with self._db.write() as connection:
            connection.execute(update(WEBHOOK_OUTBOX).where(WEBHOOK_OUTBOX.c.seq == seq).values(changes))

    def webhook_backlog(self, webhook_id: str) -> Backlog:
        """Messages of a webhook that are not delivered."""
        box = WEBHOOK_OUTBOX.c
        query = select(box.due_at, box.trouble).where(box.webhook_id == webhook_id).order_by(box.seq)
        with self._db.read() as connection:
            rows = connection.execute(query).all()
        waiting = sum(row.due_at is not None for row in rows)
        trouble = next((row.trouble for row in reversed(rows) if row.trouble is not None), None)
        return Backlog(waiting, len(rows) - waiting, trouble)

    def purge_given_up(self, before: datetime) -> int:
        """Delete given-up messages from before a moment; returns their number."""
        box = WEBHOOK_OUTBOX.c
        given_up = delete(WEBHOOK_OUTBOX).where(box.due_at.is_(None), box.created_at < before)
        with self._db.write() as connection:
            return connection.execute(given_up).rowcount


def enqueue_messages(database: Database, connection: Connection, messages: Iterable[Message], now: datetime) -> None:
    """Add a row for each message and webhook that subscribes to its event, within the caller's transaction.

    Without a webhook the messages are not made.
    """
    if _ANY.first(connection) is None:
        return
    subscribed = [_record(row) for row in connection.execute(select(WEBHOOKS))]
    rows = [
        {
            "webhook_id": webhook.webhook_id,
            "message_id": message.message_id,
            "body": message.body,
            "created_at": now,
            "due_at": now,
            "attempts": 0,
        }
        for message in messages
        for webhook in subscribed
        if message.event in webhook.events
    ]
    if rows:
        known = [WEBHOOK_OUTBOX.c.webhook_id, WEBHOOK_OUTBOX.c.message_id]
        connection.execute(database.insert(WEBHOOK_OUTBOX).on_conflict_do_nothing(index_elements=known), rows)


def _record(row: Any) -> WebhookRecord:
    events = tuple(WebhookEvent(event) for event in json.loads(row.events))
    return WebhookRecord(row.webhook_id, row.url, row.secret, events, row.created_at)
