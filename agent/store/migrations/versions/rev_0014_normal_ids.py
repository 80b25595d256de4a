"""Shopper ids of profiles, consents and events in their normal form, under which they are read from now on.

Ids in paths were stored as they came: an opt-out under an id with an invisible character or an outer blank acted on
nobody. Of two rows that become one an opt-out outweighs, and the profile of the id that was normal already is kept.
Decisions and outcomes are sealed and stay; exports and erasures look for older forms there.
"""

import sqlalchemy as sa
from alembic import op

from agent.domain.fields import normal_id

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_SHOPPERS = sa.table("shoppers", sa.column("shopper_id", sa.Text), sa.column("personalisation", sa.Boolean))
_EVENTS = sa.table("events", sa.column("shopper_id", sa.Text))


def upgrade() -> None:
    """Rename ids that are not normal; one that has no normal form stays, as nothing can name it."""
    connection = op.get_bind()
    for old, new in _renamed(connection, _SHOPPERS):
        _rename_shopper(connection, old, new)
    for old, new in _renamed(connection, _EVENTS):
        connection.execute(sa.update(_EVENTS).where(_EVENTS.c.shopper_id == old).values(shopper_id=new))


def downgrade() -> None:
    """Keep the ids: the older schema stores them too."""


def _renamed(connection: sa.Connection, table: sa.TableClause) -> list[tuple[str, str]]:
    found = []
    for (old,) in connection.execute(sa.select(table.c.shopper_id).distinct()):
        try:
            new = normal_id(old)
        except ValueError:
            continue
        if new != old:
            found.append((old, new))
    return found


def _rename_shopper(connection: sa.Connection, old: str, new: str) -> None:
    consent = sa.select(_SHOPPERS.c.personalisation)
    here = connection.execute(consent.where(_SHOPPERS.c.shopper_id == old)).scalar_one()
    there = connection.execute(consent.where(_SHOPPERS.c.shopper_id == new)).scalar_one_or_none()
    mine, its = _SHOPPERS.c.shopper_id == old, _SHOPPERS.c.shopper_id == new
    if there is None:
        connection.execute(sa.update(_SHOPPERS).where(mine).values(shopper_id=new))
        return
    connection.execute(sa.update(_SHOPPERS).where(its).values(personalisation=here and there))
    connection.execute(sa.delete(_SHOPPERS).where(mine))
