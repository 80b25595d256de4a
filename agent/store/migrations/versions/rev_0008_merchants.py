"""Merchants; merchant and rate limit of API keys. Existing keys are the default merchant's."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table and two columns."""
    op.create_table(
        "merchants",
        sa.Column("merchant_id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("removed_at", sa.BigInteger),
    )
    op.add_column("api_keys", sa.Column("merchant", sa.Text, nullable=False, server_default="default"))
    op.add_column("api_keys", sa.Column("per_minute", sa.Integer))


def downgrade() -> None:
    """Drop them, and the keys of other merchants, which the older schema would give to the default one."""
    keys = sa.table("api_keys", sa.column("merchant"))
    op.execute(sa.delete(keys).where(keys.c.merchant != "default"))
    op.drop_column("api_keys", "per_minute")
    op.drop_column("api_keys", "merchant")
    op.drop_table("merchants")
