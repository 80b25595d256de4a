"""Abandoned idempotency keys keep the time of their start: purged early, they would take their quote's id with them."""

import time

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_KEYS = sa.table("idempotency", sa.column("started_at", sa.BigInteger), sa.column("abandoned", sa.Boolean))
_MARK = 0  # the time of abandoned keys before


def upgrade() -> None:
    """Add the column; keys abandoned before count as begun now."""
    op.add_column("idempotency", sa.Column("abandoned", sa.Boolean, nullable=False, server_default=sa.false()))
    marked = sa.update(_KEYS).where(_KEYS.c.started_at == _MARK)
    op.execute(marked.values(abandoned=True, started_at=time.time_ns() // 1_000))


def downgrade() -> None:
    """Mark abandoned keys by their time again, and drop the column."""
    op.execute(sa.update(_KEYS).where(_KEYS.c.abandoned).values(started_at=_MARK))
    op.drop_column("idempotency", "abandoned")
