"""Stored answers keep the Location header of what they created."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; answers stored before have none."""
    op.add_column("idempotency", sa.Column("location", sa.Text))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("idempotency", "location")
