"""Kinds of stores: the demo store and a shop's own never share one by accident."""

from enum import StrEnum
from typing import Final

from sqlalchemy import exists, select

from agent.domain.clock import HISTORY_END_KEY
from agent.store.meta import MetaRepository
from agent.store.tables import DECISIONS, EVENTS, OUTCOMES, PRODUCTS, SHOPPERS

LOADED_KEY: Final = "demo.loaded"
BEGUN_KEY: Final = "demo.begun"
"""Set before the first row of demo data is written, so that an interrupted load is known for what it is."""
OWN_KEY: Final = "own.since"
"""Set when a shop of one's own is made, while its store is still empty."""
_DATA: Final = (PRODUCTS, SHOPPERS, EVENTS, OUTCOMES, DECISIONS)


class StoreKind(StrEnum):
    """Origin of the data in a store; reports show `label`, and `--json` the value."""

    DEMO = "demo"
    OWN = "own"

    @property
    def label(self) -> str:
        """The kind in words."""
        return "demo store (Complete Journey, simulated)" if self is StoreKind.DEMO else "own store"


class StoreKindRepository(MetaRepository):
    """Kind of the store, read from its marks."""

    def kind(self) -> StoreKind:
        """Whether demo data was loaded here, or begun to be; every other store is a shop's own."""
        marks = (BEGUN_KEY, HISTORY_END_KEY, LOADED_KEY)
        return StoreKind.DEMO if any(self.meta(key) is not None for key in marks) else StoreKind.OWN

    def in_own_use(self) -> bool:
        """Whether a shop's own store was made by `pricesmith init`, or has data of any kind."""
        if self.kind() is StoreKind.DEMO:
            return False
        if self.meta(OWN_KEY) is not None:
            return True
        with self._db.read() as connection:
            return any(connection.execute(select(exists(select(table)))).scalar_one() for table in _DATA)
