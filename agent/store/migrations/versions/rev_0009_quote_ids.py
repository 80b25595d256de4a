"""Quote ids of idempotency keys, so that a retried request is not carried out twice."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; existing keys have no id."""
    op.add_column("idempotency", sa.Column("quote_id", sa.Text))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("idempotency", "quote_id")
