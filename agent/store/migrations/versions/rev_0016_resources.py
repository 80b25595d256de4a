"""Removed products, origins of publishable keys, and indexes for lists by time."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_INDEXES = {
    "decisions_at": ("decisions", ["at", "id", "personalised", "source", "lever", "rung", "currency"]),
    "decisions_shopper_product_at": ("decisions", ["shopper_id", "product_id", "at", "id"]),
    "decisions_product_at": ("decisions", ["product_id", "at", "id"]),
    "outcomes_at": ("outcomes", ["at", "seq", "type"]),
    "outcomes_product_at": ("outcomes", ["product_id", "at", "seq"]),
    "events_at": ("events", ["at", "seq", "type"]),
    "events_product_at": ("events", ["product_id", "at", "seq"]),
}
_BEFORE = {
    "decisions_at": ("decisions", ["at"]),
    "decisions_shopper_product_at": ("decisions", ["shopper_id", "product_id", "at"]),
}


def upgrade() -> None:
    """Add the columns and indexes; no product is removed, and no key publishable."""
    op.add_column("products", sa.Column("removed", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("api_keys", sa.Column("origins", sa.Text))
    for name, (table, _) in _BEFORE.items():
        op.drop_index(name, table)
    for name, (table, columns) in _INDEXES.items():
        op.create_index(name, table, columns)


def downgrade() -> None:
    """Delete removed products and publishable keys, which the older schema cannot tell apart; drop the columns."""
    op.execute("DELETE FROM products WHERE removed")
    op.execute("DELETE FROM api_keys WHERE origins IS NOT NULL")
    for name, (table, _) in _INDEXES.items():
        op.drop_index(name, table)
    for name, (table, columns) in _BEFORE.items():
        op.create_index(name, table, columns)
    op.drop_column("api_keys", "origins")
    op.drop_column("products", "removed")
