"""Events get an identity, so that one counts once however often it comes; imported outcomes keep their situation."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; events of before have no identity."""
    op.add_column("events", sa.Column("event_id", sa.Text))
    op.create_index("events_event_id", "events", ["event_id"], unique=True)
    op.add_column("outcomes", sa.Column("profile", sa.Text))
    op.add_column("outcomes", sa.Column("context", sa.Text))


def downgrade() -> None:
    """Drop them."""
    op.drop_column("outcomes", "context")
    op.drop_column("outcomes", "profile")
    op.drop_index("events_event_id", "events")
    op.drop_column("events", "event_id")
