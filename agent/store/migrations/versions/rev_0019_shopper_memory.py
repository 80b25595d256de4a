"""Shopper memory: histories and encoder states of shoppers, worked out ahead of quotes."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table; it is filled in the background."""
    op.create_table(
        "shopper_memory",
        sa.Column("shopper_id", sa.Text, primary_key=True),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("first_at", sa.BigInteger, nullable=False),
        sa.Column("last_at", sa.BigInteger, nullable=False),
        sa.Column("late_sales", sa.BigInteger),
        sa.Column("labels", sa.BigInteger, nullable=False),
        sa.Column("encoder", sa.Text, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("state", sa.LargeBinary, nullable=False),
        sa.Column("history", sa.LargeBinary, nullable=False),
    )
    op.create_index("shopper_memory_first", "shopper_memory", ["first_at"])
    op.create_index("shopper_memory_expires", "shopper_memory", ["expires_at"])


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("shopper_memory")
