"""Events of the merchant's rules."""

from dataclasses import fields, replace

import sqlalchemy as sa
from alembic import op

from agent.store.chain import START, AuditKind, Head, Link, link_sha256

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_AUDIT = sa.table("audit", *(sa.column(field.name) for field in fields(Link)))
_HEAD = sa.table("audit_head", *map(sa.column, ("one", "seq", "link_sha256", "seal")))


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "rule_events",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("document", sa.Text),
        sa.Column("active_from", sa.BigInteger),
        sa.Column("active_until", sa.BigInteger),
        sa.Column("of_seq", sa.BigInteger),
    )


def downgrade() -> None:
    """Drop the table, and the audit entries of rules, which an older schema cannot verify.

    Later rows are chained again, so that the log verifies; its head has no seal until the next row.
    """
    _chain_without_rules(op.get_bind())
    op.drop_table("rule_events")


def _chain_without_rules(connection: sa.Connection) -> None:
    first = connection.execute(sa.select(sa.func.min(_AUDIT.c.seq)).where(_AUDIT.c.kind == "rule")).scalar()
    if first is None:
        return
    rows = connection.execute(sa.select(_AUDIT).order_by(_AUDIT.c.seq)).all()
    kept = [row for row in rows if row.kind != "rule"]
    connection.execute(sa.delete(_AUDIT))
    head, batch = START, []
    for row in kept:
        told = {**row._mapping, "seq": head.seq + 1, "kind": AuditKind(row.kind)}
        link = Link(**told)
        link = replace(link, link_sha256=link_sha256(link, head))
        head = Head(link.seq, link.link_sha256)
        batch.append({**told, "kind": row.kind, "link_sha256": link.link_sha256})
    if batch:
        connection.execute(sa.insert(_AUDIT), batch)
    connection.execute(sa.delete(_HEAD))
    if head.seq:
        connection.execute(sa.insert(_HEAD).values(one=1, seq=head.seq, link_sha256=head.link_sha256, seal=""))
