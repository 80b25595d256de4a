"""Idempotency keys hold the id that their quote will have, so that a request tried again is not carried out again."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; keys of before have no id."""
    op.add_column("idempotency", sa.Column("quote_id", sa.Text))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("idempotency", "quote_id")
