"""Weekly facts by currency, revisions of products, list prices by time."""

import time
from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_WEEK_US = 7 * 86_400 * 1_000_000
_FIRST_MONDAY_US = 4 * 86_400 * 1_000_000  # 1970-01-05
_HISTORY_END = "demo.history_end"
_PURCHASE = "purchase"

_META = sa.table("meta", sa.column("key", sa.Text), sa.column("value", sa.Text))
_PRODUCTS = sa.table(
    "products", sa.column("product_id", sa.Text), sa.column("currency", sa.Text), sa.column("list_minor", sa.BigInteger)
)
_EVENTS = sa.table(
    "events",
    *(sa.column(name, sa.Text) for name in ("type", "product_id", "currency")),
    sa.column("at", sa.BigInteger),
)
_APPLIED = sa.table(
    "applied_prices",
    *(sa.column(name, sa.Text) for name in ("product_id", "currency")),
    *(sa.column(name, sa.BigInteger) for name in ("price_minor", "at")),
)
_LISTED = sa.table("list_prices", *(sa.column(name) for name in ("product_id", "at", "currency", "list_minor")))
_FACTS = ("product_id", "week", "purchases", "list_minor", "price_minor")
_OLD = sa.table("old_weeks", *(sa.column(name) for name in _FACTS))
_WEEKS = sa.table("product_weeks", *(sa.column(name) for name in (*_FACTS, "currency")))


def upgrade() -> None:
    """Add currencies, revisions and list prices; weekly facts are in their product's currency unless a sale was not."""
    op.rename_table("product_weeks", "old_weeks")
    _create_weeks(sa.Column("currency", sa.Text, primary_key=True))
    joined = sa.outerjoin(_OLD, _PRODUCTS, _OLD.c.product_id == _PRODUCTS.c.product_id)
    rows = sa.select(*_OLD.c, sa.func.coalesce(_PRODUCTS.c.currency, "")).select_from(joined)
    op.execute(sa.insert(_WEEKS).from_select([*_FACTS, "currency"], rows))
    op.drop_table("old_weeks")
    _drop_foreign_prices()
    op.add_column("products", sa.Column("revision", sa.BigInteger, nullable=False, server_default="0"))
    op.create_index("products_revision", "products", ["revision"])
    op.create_table(
        "list_prices",
        sa.Column("product_id", sa.Text, primary_key=True),
        sa.Column("at", sa.BigInteger, primary_key=True),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("list_minor", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    _fill_list_prices()


def downgrade() -> None:
    """Merge currencies into one row a week, and drop the rest."""
    op.drop_table("list_prices")
    op.drop_index("products_revision", "products")
    op.drop_column("products", "revision")
    op.rename_table("product_weeks", "old_weeks")
    _create_weeks()
    key = (_OLD.c.product_id, _OLD.c.week)
    merged = (sa.func.sum(_OLD.c.purchases), sa.func.max(_OLD.c.list_minor), sa.func.max(_OLD.c.price_minor))
    op.execute(sa.insert(_WEEKS).from_select(list(_FACTS), sa.select(*key, *merged).group_by(*key)))
    op.drop_table("old_weeks")


def _create_weeks(*further_key: "sa.Column[str]") -> None:
    op.create_table(
        "product_weeks",
        sa.Column("product_id", sa.Text, primary_key=True),
        sa.Column("week", sa.BigInteger, primary_key=True),
        *further_key,
        sa.Column("purchases", sa.BigInteger, nullable=False),
        sa.Column("list_minor", sa.BigInteger),
        sa.Column("price_minor", sa.BigInteger),
        sqlite_with_rowid=False,
    )


def _drop_foreign_prices() -> None:
    """Drop the prices of weeks with a sale in another currency, as nothing tells which sale set them."""
    week = (_EVENTS.c.at - _FIRST_MONDAY_US) // _WEEK_US
    sold = sa.select(_EVENTS.c.product_id, week.label("number")).distinct()
    sold = sold.select_from(sa.join(_EVENTS, _PRODUCTS, _EVENTS.c.product_id == _PRODUCTS.c.product_id))
    sold = sold.where(_EVENTS.c.type == _PURCHASE, _EVENTS.c.currency != _PRODUCTS.c.currency)
    found = [
        {"product": row.product_id, "start": row.number * _WEEK_US + _FIRST_MONDAY_US}
        for row in op.get_bind().execute(sold)
    ]
    if found:
        unsure = sa.update(_WEEKS).where(
            _WEEKS.c.product_id == sa.bindparam("product"), _WEEKS.c.week == sa.bindparam("start")
        )
        op.get_bind().execute(unsure.values(list_minor=None, price_minor=None), found)


def _fill_list_prices() -> None:
    """Log present list prices from when the applied-price log shows them alone, else from the demo's end, else now."""
    end = op.get_bind().execute(sa.select(_META.c.value).where(_META.c.key == _HISTORY_END)).scalar()
    start = time.time_ns() // 1_000 if end is None else int(datetime.fromisoformat(end).timestamp() * 1e6)
    other, same = _APPLIED.alias("other"), _APPLIED.alias("same")
    last_other = sa.select(sa.func.max(other.c.at)).where(
        other.c.product_id == _PRODUCTS.c.product_id,
        other.c.currency == _PRODUCTS.c.currency,
        other.c.price_minor != _PRODUCTS.c.list_minor,
    )
    first_same = sa.select(sa.func.min(same.c.at)).where(
        same.c.product_id == _PRODUCTS.c.product_id,
        same.c.currency == _PRODUCTS.c.currency,
        same.c.price_minor == _PRODUCTS.c.list_minor,
        same.c.at > sa.func.coalesce(last_other.correlate(_PRODUCTS).scalar_subquery(), -1),
    )
    since = sa.func.coalesce(first_same.correlate(_PRODUCTS).scalar_subquery(), start)
    rows = sa.select(_PRODUCTS.c.product_id, since, _PRODUCTS.c.currency, _PRODUCTS.c.list_minor)
    rows = rows.where(_PRODUCTS.c.list_minor.is_not(None))
    op.execute(sa.insert(_LISTED).from_select(["product_id", "at", "currency", "list_minor"], rows))
