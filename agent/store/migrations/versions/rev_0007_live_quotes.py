"""Live quotes, one for a shopper, product and quantity; none after the upgrade."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "live_quotes",
        sa.Column("shopper_id", sa.Text, primary_key=True),
        sa.Column("product_id", sa.Text, primary_key=True),
        sa.Column("quantity", sa.BigInteger, primary_key=True),
        sa.Column("quote_id", sa.Text, nullable=False),
        sa.Column("price_minor", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("valid_until", sa.BigInteger, nullable=False),
    )
    op.create_index("live_quotes_until", "live_quotes", ["valid_until"])


def downgrade() -> None:
    """Drop the table; prices are then bound by their tokens alone."""
    op.drop_table("live_quotes")
