"""Event ids, so that an event counts once however often it is reported; profile and context of imported outcomes."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; existing events have no id."""
    op.add_column("events", sa.Column("event_id", sa.Text))
    op.create_index("events_event_id", "events", ["event_id"], unique=True)
    op.add_column("outcomes", sa.Column("profile", sa.Text))
    op.add_column("outcomes", sa.Column("context", sa.Text))


def downgrade() -> None:
    """Drop the columns."""
    op.drop_column("outcomes", "context")
    op.drop_column("outcomes", "profile")
    op.drop_index("events_event_id", "events")
    op.drop_column("events", "event_id")
