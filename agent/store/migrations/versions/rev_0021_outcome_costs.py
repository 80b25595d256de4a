"""Imported outcomes keep the cost at their moment."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; outcomes imported before have none."""
    op.add_column("outcomes", sa.Column("cost_minor", sa.BigInteger))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("outcomes", "cost_minor")
