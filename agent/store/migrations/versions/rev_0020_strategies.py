"""Strategies: what the language model wrote, by situation."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    seq = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "strategies",
        sa.Column("seq", seq, sa.Identity(always=True), primary_key=True),
        sa.Column("made_with", sa.Text, nullable=False),
        sa.Column("situation", sa.Text, nullable=False),
        sa.Column("written", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("made_with", "situation", name="strategies_situation"),
        sqlite_autoincrement=True,
    )
    op.create_index("strategies_made_with", "strategies", ["made_with", "seq"])


def downgrade() -> None:
    """Drop the table; the language model writes its strategies again."""
    op.drop_table("strategies")
