"""Store: all durable state of one merchant behind one object."""

from contextlib import AbstractContextManager

from sqlalchemy import Connection, select

from agent.domain.clock import Clock, SystemClock
from agent.store.api_keys import ApiKeyRepository
from agent.store.applied_prices import AppliedPriceRepository
from agent.store.audit_check import AuditRepository
from agent.store.changes import ChangeRepository
from agent.store.decision_log import DecisionLogRepository
from agent.store.decisions import DecisionRepository
from agent.store.doubtful_rows import DoubtfulRowRepository
from agent.store.engine import Database, open_database
from agent.store.erasure import ErasureRepository
from agent.store.events import EventRepository
from agent.store.idempotency import IdempotencyRepository
from agent.store.jobs import JobRepository
from agent.store.kind import StoreKindRepository
from agent.store.lists import ListRepository
from agent.store.live_quotes import LiveQuoteRepository
from agent.store.merchants import MerchantRepository
from agent.store.migrate import upgrade
from agent.store.outcomes import OutcomeRepository
from agent.store.product_weeks import ProductWeekRepository
from agent.store.products import ProductRepository
from agent.store.rule_events import RuleEventRepository
from agent.store.shopper_memory import ShopperMemoryRepository
from agent.store.shoppers import ShopperRepository
from agent.store.strategies import StrategyRepository
from agent.store.tables import META
from agent.store.webhooks import WebhookRepository


class Store(
    ProductRepository,
    ProductWeekRepository,
    ShopperRepository,
    ShopperMemoryRepository,
    EventRepository,
    DecisionRepository,
    DecisionLogRepository,
    OutcomeRepository,
    AuditRepository,
    ErasureRepository,
    RuleEventRepository,
    AppliedPriceRepository,
    ApiKeyRepository,
    ChangeRepository,
    IdempotencyRepository,
    ListRepository,
    JobRepository,
    LiveQuoteRepository,
    MerchantRepository,
    DoubtfulRowRepository,
    StoreKindRepository,
    StrategyRepository,
    WebhookRepository,
):
    """All repositories on one connection pool. Safe for several threads and processes.

    Every method is a transaction of its own; iterators use a short one a batch. All may raise StoreUnavailable; those
    that write may raise InvalidRecord.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        """Use a database whose schema is up to date; `open` makes it so."""
        IdempotencyRepository.__init__(self, database, clock)

    @classmethod
    def open(cls, url: str, clock: Clock | None = None) -> "Store":
        """Connect to `sqlite:///FILE` or `postgresql://USER:PASSWORD@HOST/NAME` and bring the schema up to date.

        Raises:
            StoreError: The address is of another kind, or a newer Pricesmith wrote the database.
            StoreUnavailable: The database did not answer.
        """
        database = open_database(url)
        try:
            upgrade(database)
        except BaseException:
            database.close()
            raise
        return cls(database, clock or SystemClock())

    def ping(self) -> None:
        """Check that the database answers.

        Raises:
            StoreUnavailable: It does not.
        """
        with self._db.read() as connection:
            connection.execute(select(META.c.key).limit(1)).first()

    def snapshot(self) -> AbstractContextManager[Connection]:
        """Open a connection that reads the whole store in one state, for backups.

        Raises:
            StoreUnavailable: The database did not answer.
        """
        return self._db.snapshot()

    def close(self) -> None:
        """Close all connections."""
        self._db.close()

    def __enter__(self) -> "Store":
        """Return the store."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """Close the store."""
        self.close()
