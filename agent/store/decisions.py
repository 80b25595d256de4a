"""Decisions: append only, durable before anyone hears of them."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, Text, column, insert, null, select, values

from agent.decision import Decision
from agent.store.codec import decode_decision, encode_decision
from agent.store.rows import IN_LIMIT, Repository, chunks
from agent.store.tables import DECISIONS

ShopperProduct = tuple[str | None, str]
"""A shopper (None: nobody known) and a product."""

_COLUMNS: Final = tuple(c.name for c in DECISIONS.columns if c.name not in ("lever", "body"))


class DecisionRepository(Repository):
    """Every price that was given, with all that led to it."""

    def record_decisions(self, decisions: Sequence[Decision]) -> None:
        """Store in one transaction, durably: on return they survive a crash.

        Raises:
            InvalidRecord: A number is NaN or infinite; nothing was stored.
            StoreError: An id is stored already; nothing was stored.
        """
        rows = [_row(decision) for decision in decisions]
        if rows:
            with self._db.write() as connection:
                connection.execute(insert(DECISIONS), rows)

    def decision(self, decision_id: str) -> Decision | None:
        """The decision as recorded, or None when unknown."""
        with self._db.read() as connection:
            query = select(DECISIONS.c.body).where(DECISIONS.c.id == decision_id)
            body = connection.execute(query).scalar_one_or_none()
        return None if body is None else decode_decision(body)

    def last_prices(self, pairs: Sequence[ShopperProduct]) -> dict[ShopperProduct, int]:
        """Price in minor units of the latest decision of each pair that has one."""
        known = [(shopper_id, product_id) for shopper_id, product_id in pairs if shopper_id is not None]
        nobody = [product_id for shopper_id, product_id in pairs if shopper_id is None]
        queries = [_last_prices_of_shoppers(chunk) for chunk in chunks(known, IN_LIMIT)]
        queries += [_last_prices_of_nobody(chunk) for chunk in chunks(nobody, IN_LIMIT)]
        with self._db.read() as connection:
            rows = [row for query in queries for row in connection.execute(query)]
        return {(row.shopper_id, row.product_id): row.price_minor for row in rows if row.price_minor is not None}


def _row(decision: Decision) -> dict[str, Any]:
    row = {name: getattr(decision, name) for name in _COLUMNS}
    return row | {"lever": decision.strategy.lever, "body": encode_decision(decision)}


def _last_prices_of_shoppers(pairs: Sequence[tuple[str, str]]) -> Select[Any]:
    wanted = values(column("shopper_id", Text), column("product_id", Text), name="wanted").data(pairs).cte("wanted")
    same = DECISIONS.c.shopper_id == wanted.c.shopper_id
    latest = _latest_price(same & (DECISIONS.c.product_id == wanted.c.product_id))
    return select(wanted.c.shopper_id, wanted.c.product_id, latest)


def _last_prices_of_nobody(product_ids: Sequence[str]) -> Select[Any]:
    rows = [(product_id,) for product_id in product_ids]
    wanted = values(column("product_id", Text), name="wanted").data(rows).cte("wanted")
    latest = _latest_price(DECISIONS.c.shopper_id.is_(None) & (DECISIONS.c.product_id == wanted.c.product_id))
    return select(null().label("shopper_id"), wanted.c.product_id, latest)


def _latest_price(condition: ColumnElement[bool]) -> ColumnElement[int | None]:
    query = select(DECISIONS.c.price_minor).where(condition).order_by(DECISIONS.c.at.desc(), DECISIONS.c.id.desc())
    return query.limit(1).scalar_subquery().label("price_minor")
