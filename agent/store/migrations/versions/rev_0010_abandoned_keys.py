"""Abandoned idempotency keys keep their start time, so that they are not purged early with their quote's id."""

import time

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_KEYS = sa.table("idempotency", sa.column("started_at", sa.BigInteger), sa.column("abandoned", sa.Boolean))
_MARK = 0  # start time of abandoned keys in the older schema


def upgrade() -> None:
    """Add the column; existing abandoned keys start now."""
    op.add_column("idempotency", sa.Column("abandoned", sa.Boolean, nullable=False, server_default=sa.false()))
    marked = sa.update(_KEYS).where(_KEYS.c.started_at == _MARK)
    op.execute(marked.values(abandoned=True, started_at=time.time_ns() // 1_000))


def downgrade() -> None:
    """Mark abandoned keys by their start time again, and drop the column."""
    op.execute(sa.update(_KEYS).where(_KEYS.c.abandoned).values(started_at=_MARK))
    op.drop_column("idempotency", "abandoned")
