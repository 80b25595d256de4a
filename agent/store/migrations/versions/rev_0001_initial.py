"""Create every table of the first release."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_SEQ = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create all tables and indexes."""
    _create_catalogue()
    _create_behaviour()
    _create_decisions()
    _create_access()


def downgrade() -> None:
    """Drop all tables."""
    for table in (
        "idempotency",
        "api_keys",
        "product_weeks",
        "decisions",
        "outcomes",
        "events",
        "shoppers",
        "products",
        "meta",
    ):
        op.drop_table(table)


def _create_catalogue() -> None:
    op.create_table(
        "meta",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_table(
        "products",
        sa.Column("product_id", sa.Text, primary_key=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("list_minor", sa.BigInteger),
        sa.Column("cost_minor", sa.BigInteger),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("category", sa.Text, nullable=False),
        sa.Column("brand", sa.Text, nullable=False),
        sa.Column("inventory", sa.BigInteger),
        sa.Column("rating", sa.Float(53)),
        sa.Column("floor_minor", sa.BigInteger),
        sa.Column("ceiling_minor", sa.BigInteger),
        sa.Column("map_minor", sa.BigInteger),
        sa.Column("attributes", sa.Text, nullable=False),
    )
    op.create_table(
        "product_weeks",
        sa.Column("product_id", sa.Text, primary_key=True),
        sa.Column("week", sa.BigInteger, primary_key=True),
        sa.Column("purchases", sa.BigInteger, nullable=False),
        sa.Column("list_minor", sa.BigInteger),
        sa.Column("price_minor", sa.BigInteger),
        sqlite_with_rowid=False,
    )


def _create_behaviour() -> None:
    op.create_table(
        "shoppers",
        sa.Column("shopper_id", sa.Text, primary_key=True),
        sa.Column("profile", sa.Text, nullable=False),
        sa.Column("personalisation", sa.Boolean, nullable=False),
    )
    op.create_table(
        "events",
        sa.Column("seq", _SEQ, sa.Identity(always=True), primary_key=True),
        sa.Column("shopper_id", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("product_id", sa.Text),
        sa.Column("quantity", sa.BigInteger, nullable=False),
        sa.Column("price_minor", sa.BigInteger),
        sa.Column("list_minor", sa.BigInteger),
        sa.Column("currency", sa.Text),
        sa.Column("text", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("events_shopper_at", "events", ["shopper_id", "at"])


def _create_decisions() -> None:
    op.create_table(
        "decisions",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("shopper_id", sa.Text),
        sa.Column("product_id", sa.Text),
        sa.Column("price_minor", sa.BigInteger, nullable=False),
        sa.Column("reference_minor", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("lever", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("rung", sa.Text, nullable=False),
        sa.Column("personalised", sa.Boolean, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("decisions_shopper_product_at", "decisions", ["shopper_id", "product_id", "at"])
    op.create_table(
        "outcomes",
        sa.Column("seq", _SEQ, sa.Identity(always=True), primary_key=True),
        sa.Column("outcome_id", sa.Text, nullable=False),
        sa.Column("shopper_id", sa.Text),
        sa.Column("product_id", sa.Text),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("price_minor", sa.BigInteger, nullable=False),
        sa.Column("reference_minor", sa.BigInteger),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("quantity", sa.BigInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("quote_id", sa.Text),
        sa.Column("propensity", sa.Float(53)),
        sa.Column("weight", sa.Float(53), nullable=False),
        sa.UniqueConstraint("outcome_id", name="outcomes_outcome_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("outcomes_quote", "outcomes", ["quote_id"])


def _create_access() -> None:
    op.create_table(
        "api_keys",
        sa.Column("key_id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("secret_sha256", sa.Text, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("revoked_at", sa.BigInteger),
        sa.Column("last_used_at", sa.BigInteger),
    )
    op.create_table(
        "idempotency",
        sa.Column("key_id", sa.Text, primary_key=True),
        sa.Column("idem_key", sa.Text, primary_key=True),
        sa.Column("payload_sha256", sa.Text, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("body", sa.LargeBinary),
        sa.Column("media_type", sa.Text),
    )
    op.create_index("idempotency_started", "idempotency", ["started_at"])
