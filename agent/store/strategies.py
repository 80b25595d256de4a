"""Strategies that the language model wrote, by situation: kept over restarts and shared by processes.

A situation is known by a digest of ratios and words; none of its facts is stored.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Integer, bindparam, delete, func, select

from agent.store.repository import Repository
from agent.store.tables import STRATEGIES

MOST_STRATEGIES: Final = 20_000
"""Situations kept, of all model versions together; the oldest are dropped."""

_LAST: Final = select(func.max(STRATEGIES.c.seq))
_AFTER: Final = (
    select(STRATEGIES.c.seq, STRATEGIES.c.situation, STRATEGIES.c.written)
    .where(STRATEGIES.c.made_with == bindparam("made_with"), STRATEGIES.c.seq > bindparam("after"))
    .order_by(STRATEGIES.c.seq)
    .limit(bindparam("most", type_=Integer))
)
_DROP: Final = delete(STRATEGIES).where(STRATEGIES.c.seq <= bindparam("last"))


@dataclass(frozen=True, slots=True)
class StrategyRow:
    """Strategies of one situation as JSON; `seq` numbers rows as they were stored."""

    seq: int
    situation: str
    written: str


class StrategyRepository(Repository):
    """Strategies by model version and situation."""

    def keep_strategies(
        self, made_with: str, written: Mapping[str, str], at: datetime, most: int = MOST_STRATEGIES
    ) -> None:
        """Store strategies by situation, unless another process did, and drop the oldest beyond `most`.

        `made_with` names strategist and prompt.
        """
        rows = [{"made_with": made_with, "situation": key, "written": text, "at": at} for key, text in written.items()]
        if not rows:
            return
        with self._db.write() as connection:
            self._db.serialise(connection, "strategies")
            statement = self._db.insert(STRATEGIES)
            connection.execute(statement.on_conflict_do_nothing(index_elements=["made_with", "situation"]), rows)
            last = connection.execute(_LAST).scalar_one() or 0
            connection.execute(_DROP, {"last": last - most})

    def strategies_after(self, made_with: str, seq: int, most: int = MOST_STRATEGIES) -> Sequence[StrategyRow]:
        """The first `most` rows of a model version numbered above `seq`, in order."""
        with self._db.read() as connection:
            rows = connection.execute(_AFTER, {"made_with": made_with, "after": seq, "most": most}).all()
        return [StrategyRow(row.seq, row.situation, row.written) for row in rows]
