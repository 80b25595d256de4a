"""Returns and ratings of outcomes."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; nothing is known of earlier outcomes."""
    op.add_column("outcomes", sa.Column("returned", sa.Boolean))
    op.add_column("outcomes", sa.Column("rating", sa.Float(53)))


def downgrade() -> None:
    """Delete outcomes that only rate a sale, which older releases cannot read; drop the columns."""
    op.execute("DELETE FROM outcomes WHERE type = 'rated'")
    op.drop_column("outcomes", "rating")
    op.drop_column("outcomes", "returned")
