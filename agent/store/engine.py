"""The database behind the store: one pool, short transactions, and failures in the store's own words."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, make_url
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    InterfaceError,
    OperationalError,
    SQLAlchemyError,
    StatementError,
    TimeoutError,
)
from sqlalchemy.pool import ConnectionPoolEntry

from agent.store.errors import InvalidRecord, StoreError, StoreUnavailable

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

BUSY_TIMEOUT_S: Final = 15.0

_POOL_SIZE: Final = 8
_POOL_OVERFLOW: Final = 24
_WRITE: Final = "pricesmith_write"
_PRAGMAS: Final = (
    f"busy_timeout = {int(BUSY_TIMEOUT_S * 1000)}",  # first: the others may have to wait
    "journal_mode = WAL",
    "synchronous = FULL",  # an acknowledged decision survives a power cut
    "foreign_keys = ON",
    "secure_delete = ON",  # what was erased is overwritten, not merely unlinked
    "cache_size = -32768",  # 32 MiB a connection: the event index stays in memory during bulk loads
    f"journal_size_limit = {64 * 2**20}",
)


class Database:
    """Hands out connections inside transactions and turns driver errors into StoreError.

    SQLite lets one connection write at a time and others poll for the lock; threads of this process queue on a
    lock of their own instead, which is fair and does not sleep. Write transactions begin IMMEDIATE: a deferred one
    that reads first may fail to become a writer at once, whatever its timeout.
    """

    def __init__(self, engine: Engine) -> None:
        """Use `engine`, which `open_database` made."""
        self._engine = engine
        self._writer = engine.execution_options(**{_WRITE: True})
        self.is_sqlite = engine.dialect.name == "sqlite"
        self._turn: AbstractContextManager[object] = Lock() if self.is_sqlite else nullcontext()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that sees one consistent state on SQLite, the latest committed one on PostgreSQL.

        Raises:
            StoreUnavailable: The database did not answer.
        """
        with _translated(self._engine.url), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A connection whose every read sees the state of its first one, whatever is written meanwhile.

        Raises:
            StoreUnavailable: The database did not answer.
        """
        level = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        with _translated(self._engine.url), self._engine.connect().execution_options(**level) as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction: committed durably when the block ends, rolled back when it raises.

        Raises:
            StoreUnavailable: The database did not answer, or is full.
            InvalidRecord: A value cannot be stored; nothing was.
        """
        with _translated(self._engine.url), self._turn, self._writer.begin() as connection:
            yield connection

    def insert(self, table: Table) -> "sqlite.Insert | postgresql.Insert":
        """An INSERT that knows ON CONFLICT, in this database's dialect."""
        if self.is_sqlite:
            return sqlite.insert(table)
        from sqlalchemy.dialects import postgresql  # loaded with the engine; commands on SQLite start without it

        return postgresql.insert(table)

    def serialise(self, connection: Connection, name: str) -> None:
        """Let one transaction at a time go on from here to its commit, among all that give this name.

        On SQLite every writing transaction already does.
        """
        if not self.is_sqlite:
            lock = "SELECT pg_advisory_xact_lock(hashtext(current_schema() || '.pricesmith.' || %s))"
            connection.exec_driver_sql(lock, (name,))

    def shrink_log(self) -> None:
        """Bring what was written into the database file and empty SQLite's log, which keeps what was overwritten.

        As far as readers let it: what one of them still reads is overwritten by a later call.
        """
        if self.is_sqlite:
            with _translated(self._engine.url), self._engine.connect() as connection:
                connection.rollback()
                connection.connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]

    def close(self) -> None:
        """Close idle connections; those in use close when they are done."""
        self._engine.dispose()


def open_database(url: str) -> Database:
    """Prepare the pool for `sqlite:///FILE` or `postgresql://USER:PASSWORD@HOST/NAME`; connects on first use.

    Raises:
        StoreError: The address is not one of these.
    """
    parsed = _parsed(url)
    if parsed.get_backend_name() == "sqlite":
        return Database(_sqlite_engine(parsed))
    engine = create_engine(
        parsed.set(drivername="postgresql+psycopg"),
        pool_pre_ping=True,
        pool_size=_POOL_SIZE,
        max_overflow=_POOL_OVERFLOW,
        hide_parameters=True,
        connect_args={"connect_timeout": 10},
    )
    return Database(engine)


def in_schema(url: str, schema: str) -> str:
    """The address of one schema of a PostgreSQL database.

    Raises:
        StoreError: The address is not one of PostgreSQL.
    """
    parsed = _parsed(url)
    if parsed.get_backend_name() != "postgresql":
        raise StoreError(f"{parsed.render_as_string()} has no schemas; allowed: postgresql://..., or no database_url")
    own = parsed.update_query_dict({"options": f"-csearch_path={schema}"})
    return own.render_as_string(hide_password=False)


def create_schema(url: str, schema: str) -> None:
    """Make a schema unless it is there; its name was checked."""
    _execute(url, f'CREATE SCHEMA IF NOT EXISTS "{schema}"')


def drop_schema(url: str, schema: str) -> None:
    """Drop a schema and all that is in it; its name was checked."""
    _execute(url, f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')


def _execute(url: str, statement: str) -> None:
    database = open_database(url)
    try:
        with database.write() as connection:
            connection.exec_driver_sql(statement)
    finally:
        database.close()


def _parsed(url: str) -> URL:
    remedy = "allowed: sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME; remedy: set PRICESMITH_DATABASE_URL"
    try:
        parsed = make_url(url)
    except ArgumentError as error:  # the text may hold a password, so it is not repeated
        raise StoreError(f"the database address cannot be read; {remedy}") from error
    if parsed.drivername == "postgres":
        parsed = parsed.set(drivername="postgresql")
    in_memory = parsed.database in (None, "", ":memory:") or parsed.query.get("mode") == "memory"
    if parsed.get_backend_name() not in ("sqlite", "postgresql") or (
        parsed.get_backend_name() == "sqlite" and in_memory
    ):
        raise StoreError(f"the database address {parsed.render_as_string()} is not supported; {remedy}")
    return parsed


def _sqlite_engine(url: URL) -> Engine:
    file = Path(url.database or "").expanduser()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(f"the folder of {file} cannot be made: {error}; remedy: a writable folder") from error
    engine = create_engine(
        url.set(database=str(file)),
        pool_size=_POOL_SIZE,
        max_overflow=_POOL_OVERFLOW,
        pool_use_lifo=True,  # a connection has its own cache of pages: few that are warm, not all in turn
        hide_parameters=True,
        # The driver must not begin transactions by itself: see _begin.
        connect_args={"isolation_level": None, "timeout": BUSY_TIMEOUT_S},
    )
    event.listen(engine, "connect", _set_pragmas)
    event.listen(engine, "begin", _begin)
    return engine


def _set_pragmas(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _translated(url: URL) -> Iterator[None]:
    """Messages name the driver's own cause only: statements and parameters may hold personal data."""
    where = url.render_as_string(hide_password=True)
    try:
        yield
    except (OperationalError, InterfaceError, TimeoutError) as error:
        raise StoreUnavailable(
            f"the store {where} did not answer: {_cause(error)}; remedy: check disk space, locks and connection; retry"
        ) from error
    except (DataError, OverflowError, UnicodeEncodeError) as error:
        raise InvalidRecord(f"a value cannot be stored: {_cause(error)}; remedy: clean the input") from error
    except StatementError as error:
        if isinstance(error.orig, ValueError):
            raise InvalidRecord(f"a value cannot be stored: {error.orig}") from error
        raise StoreError(f"the store {where} refused: {_cause(error)}") from error
    except SQLAlchemyError as error:
        raise StoreError(f"the store {where} failed: {error}") from error


def _cause(error: Exception) -> str:
    if isinstance(error, UnicodeEncodeError):
        return error.reason
    original = error.orig if isinstance(error, StatementError) else error
    return str(original).partition("\n")[0]
