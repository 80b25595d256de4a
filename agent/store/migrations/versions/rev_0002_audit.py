"""Audit log; personal data moves from a decision's body to a column of its own; indexes for export and reports.

Decisions and outcomes of quotes that are there already enter the log in the order in which they came about.
"""

import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

from agent.store.chain import START, AuditKind, Entry, Head, next_link

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_BATCH = 1_000
_OUTCOME_COLUMNS = (
    "outcome_id",
    "product_id",
    "currency",
    "price_minor",
    "reference_minor",
    "type",
    "quantity",
    "at",
    "quote_id",
    "propensity",
    "weight",
)
_DECISIONS = sa.table("decisions", *map(sa.column, ("id", "body", "personal")))
_OUTCOMES = sa.table("outcomes", *map(sa.column, ("seq", "shopper_id", *_OUTCOME_COLUMNS)))
_LINK = ("seq", "kind", "subject", "content_sha256", "personal_hmac", "salt", "link_sha256")
_AUDIT = sa.table("audit", *map(sa.column, _LINK))
_HEAD = sa.table("audit_head", *map(sa.column, ("one", "seq", "link_sha256", "seal")))


def upgrade() -> None:
    """Add tables, column and indexes, then log the existing rows."""
    op.create_table(
        "audit",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("content_sha256", sa.Text, nullable=False),
        sa.Column("personal_hmac", sa.Text),
        sa.Column("salt", sa.LargeBinary),
        sa.Column("link_sha256", sa.Text, nullable=False),
        sa.UniqueConstraint("kind", "subject", name="audit_kind_subject"),
    )
    op.create_table(
        "audit_head",
        sa.Column("one", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("link_sha256", sa.Text, nullable=False),
        sa.Column("seal", sa.Text, nullable=False),
    )
    op.add_column("decisions", sa.Column("personal", sa.Text))
    op.create_index("decisions_at", "decisions", ["at"])
    op.create_index("outcomes_shopper", "outcomes", ["shopper_id"])
    _log_what_there_is(op.get_bind())


def downgrade() -> None:
    """Put personal parts back into bodies; drop the log."""
    connection = op.get_bind()
    for row in _pages(connection, _DECISIONS, _DECISIONS.c.id):
        envelope = json.loads(row.body)
        personal = json.loads(row.personal) if row.personal is not None else {"shopper_id": None, "token": ""}
        request = personal.pop("request", None)
        envelope["decision"] |= personal
        _rewrite(connection, row.id, body=_text({**envelope, "format": 1, "request": request}))
    op.drop_index("outcomes_shopper", "outcomes")
    op.drop_index("decisions_at", "decisions")
    op.drop_column("decisions", "personal")
    op.drop_table("audit_head")
    op.drop_table("audit")


def _log_what_there_is(connection: sa.Connection) -> None:
    head = START
    batch: list[dict[str, Any]] = []
    for entry in (entry for part in (_decisions, _outcomes) for entry in part(connection)):
        link = next_link(head, entry)
        head = Head(link.seq, link.link_sha256)
        batch.append({name: getattr(link, name) for name in _LINK} | {"kind": link.kind.value})
        if len(batch) == _BATCH:
            connection.execute(sa.insert(_AUDIT), batch)
            batch.clear()
    if batch:
        connection.execute(sa.insert(_AUDIT), batch)
    if head.seq:
        connection.execute(sa.insert(_HEAD).values(one=1, seq=head.seq, link_sha256=head.link_sha256, seal=""))


def _decisions(connection: sa.Connection) -> Iterator[Entry]:
    """Order by id: these are UUIDs of version 7, which start with the time."""
    for row in _pages(connection, _DECISIONS, _DECISIONS.c.id):
        envelope = json.loads(row.body)
        decision = envelope["decision"]
        own = {name: decision.get(name) for name in ("shopper_id", "token", "lesson")}
        personal = _text({**own, "request": envelope.pop("request", None)})
        decision |= {"shopper_id": None, "token": "", "lesson": None}
        columns = isinstance(decision.get("candidates"), dict)  # of a store that was newer once
        body = _text({**envelope, "format": 3 if columns else 2})
        _rewrite(connection, row.id, body=body, personal=personal)
        yield Entry(AuditKind.DECISION, row.id, body.encode(), personal.encode())


def _outcomes(connection: sa.Connection) -> Iterator[Entry]:
    for row in _pages(connection, _OUTCOMES, _OUTCOMES.c.seq):
        if row.quote_id is not None:
            content = json.dumps([getattr(row, name) for name in _OUTCOME_COLUMNS]).encode()
            personal = None if row.shopper_id is None else row.shopper_id.encode()
            yield Entry(AuditKind.OUTCOME, row.outcome_id, content, personal)


def _pages(connection: sa.Connection, table: sa.TableClause, key: sa.ColumnClause[Any]) -> Iterator[sa.Row[Any]]:
    query = sa.select(table).order_by(key).limit(_BATCH)
    page = connection.execute(query).all()
    while page:
        yield from page
        page = connection.execute(query.where(key > getattr(page[-1], key.name))).all()


def _rewrite(connection: sa.Connection, decision_id: str, **changes: str) -> None:
    connection.execute(sa.update(_DECISIONS).where(_DECISIONS.c.id == decision_id).values(**changes))


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
