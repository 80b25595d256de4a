"""The applied-price log by time: rows in the order in which prices changed, not one a day and price."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_TABLE: Final = "applied_prices"
_BEFORE: Final = "applied_prices_before"
_REFUSAL: Final = "the applied-price log is append-only"
_SEQ: Final = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_DAY_US: Final = 86_400_000_000


def upgrade() -> None:
    """Number the rows by time; a price that had returned on a day is not known to the older log."""
    _move_aside()
    op.create_table(
        _TABLE,
        sa.Column("seq", _SEQ, sa.Identity(always=True), primary_key=True),
        sa.Column("product_id", sa.Text, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("price_minor", sa.BigInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("offer", sa.Boolean, nullable=False),
        sqlite_autoincrement=True,
    )
    op.execute(
        f"INSERT INTO {_TABLE} (product_id, currency, price_minor, at, offer) "  # noqa: S608 no input
        f"SELECT product_id, currency, price_minor, at, false FROM {_BEFORE} ORDER BY at, price_minor"
    )
    op.drop_table(_BEFORE)
    op.create_index("applied_prices_product", _TABLE, ["product_id", "currency", "seq"])
    _protect()


def downgrade() -> None:
    """One row a day and price again; the order within a day is lost."""
    op.drop_index("applied_prices_product", _TABLE)
    _move_aside()
    op.create_table(
        _TABLE,
        sa.Column("product_id", sa.Text, primary_key=True),
        sa.Column("currency", sa.Text, primary_key=True),
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("price_minor", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.execute(
        f"INSERT INTO {_TABLE} (product_id, currency, day, price_minor, at) "  # noqa: S608 no input
        f"SELECT product_id, currency, at / {_DAY_US}, price_minor, min(at) FROM {_BEFORE} "
        f"GROUP BY product_id, currency, at / {_DAY_US}, price_minor"
    )
    op.drop_table(_BEFORE)
    _protect()


def _move_aside() -> None:
    """Drop the triggers that refuse changes, and rename the table."""
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for verb in ("update", "delete") if is_sqlite else ():
        op.execute(f"DROP TRIGGER {_TABLE}_no_{verb}")
    if not is_sqlite:
        op.execute(f"DROP TRIGGER {_TABLE}_append_only ON {_TABLE}")
        op.execute(f"ALTER INDEX {_TABLE}_pkey RENAME TO {_BEFORE}_pkey")
    op.rename_table(_TABLE, _BEFORE)


def _protect() -> None:
    """Add the triggers that refuse changes; PostgreSQL has their function since revision 0004."""
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {_TABLE}_no_{verb.lower()} BEFORE {verb} ON {_TABLE} "
                f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
            )
        return
    op.execute(
        f"CREATE TRIGGER {_TABLE}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {_TABLE} "
        f"EXECUTE FUNCTION {_TABLE}_refuse()"
    )
