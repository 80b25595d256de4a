"""Outcomes are found by shopper and moment: other reports of a sale are found without reading all of a shopper's."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Put the time into the index by shopper."""
    op.drop_index("outcomes_shopper", "outcomes")
    op.create_index("outcomes_shopper_at", "outcomes", ["shopper_id", "at"])


def downgrade() -> None:
    """Index outcomes by shopper alone."""
    op.drop_index("outcomes_shopper_at", "outcomes")
    op.create_index("outcomes_shopper", "outcomes", ["shopper_id"])
