"""Database access: connection pool, short transactions, driver errors as store errors."""

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
from agent.store.log_checkpoints import LONGEST_LOG, LogCheckpoints

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

BUSY_TIMEOUT_S: Final = 15.0

_POOL_SIZE: Final = 8
_POOL_OVERFLOW: Final = 24
_WRITE: Final = "pricesmith_write"
_PRAGMAS: Final = (
    f"busy_timeout = {int(BUSY_TIMEOUT_S * 1000)}",  # first, as the others may have to wait for a lock
    "journal_mode = WAL",
    "synchronous = FULL",  # an acknowledged decision survives a power cut
    "foreign_keys = ON",
    "secure_delete = ON",  # erased data is overwritten, not merely unlinked
    "cache_size = -32768",  # 32 MiB a connection: the event index stays in memory during bulk loads
    f"journal_size_limit = {64 * 2**20}",
    f"wal_autocheckpoint = {LONGEST_LOG}",  # the last resort: `LogCheckpoints` come first
)


class Database:
    """Provides connections within transactions and translates driver errors to StoreError.

    SQLite has one writer at a time, for whose lock others poll; threads of this process wait on a mutex instead. Write
    transactions begin IMMEDIATE: a deferred one that reads first may fail to become a writer at once, whatever its
    timeout.
    """

    def __init__(self, engine: Engine) -> None:
        """Use an engine made by `open_database`."""
        self._engine = engine
        self._writer = engine.execution_options(**{_WRITE: True})
        self.is_sqlite = engine.dialect.name == "sqlite"
        # PostgreSQL's readers see the latest committed state anyway: a transaction would only cost round trips
        self._reader = engine if self.is_sqlite else engine.execution_options(isolation_level="AUTOCOMMIT")
        self._turn: AbstractContextManager[object] = Lock() if self.is_sqlite else nullcontext()
        self._checkpoints = LogCheckpoints(self.read, self._turn)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a connection that reads one consistent state on SQLite, the latest committed state on PostgreSQL.

        Raises:
            StoreUnavailable: The database did not answer.
        """
        with _translated(self._engine), self._reader.connect() as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Open a connection whose reads all see the state of the first one.

        Raises:
            StoreUnavailable: The database did not answer.
        """
        level = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        with _translated(self._engine), self._engine.connect().execution_options(**level) as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a transaction, committed durably when the block ends and rolled back when it raises.

        Raises:
            StoreUnavailable: The database did not answer, or is full.
            InvalidRecord: A value cannot be stored; the transaction is rolled back.
        """
        with _translated(self._engine), self._turn, self._writer.begin() as connection:
            yield connection
        if self.is_sqlite:
            self._checkpoints.note_commit()

    def insert(self, table: Table) -> "sqlite.Insert | postgresql.Insert":
        """An INSERT that supports ON CONFLICT, in this database's dialect."""
        if self.is_sqlite:
            return sqlite.insert(table)
        from sqlalchemy.dialects import postgresql  # loaded with the engine; commands on SQLite start without it

        return postgresql.insert(table)

    def serialise(self, connection: Connection, name: str) -> None:
        """Take a lock by name until the transaction commits; SQLite needs none, as it has one writer at a time."""
        if not self.is_sqlite:
            lock = "SELECT pg_advisory_xact_lock(hashtext(current_schema() || '.pricesmith.' || %s))"
            connection.exec_driver_sql(lock, (name,))

    def shrink_log(self) -> None:
        """Write SQLite's write-ahead log into the database file and truncate it, as it still has erased data.

        Pages that a reader still uses stay until a later call.
        """
        if self.is_sqlite:
            self._checkpoints.truncate()

    def close(self) -> None:
        """Close idle connections now and those in use after their work."""
        self._checkpoints.close()
        self._engine.dispose()


def open_database(url: str) -> Database:
    """Open `sqlite:///FILE` or `postgresql://USER:PASSWORD@HOST/NAME`; connects on first use.

    Raises:
        StoreError: The address is of another kind, or the extra `postgres` is not installed.
    """
    parsed = _parsed(url)
    if parsed.get_backend_name() == "sqlite":
        return Database(_sqlite_engine(parsed))
    try:
        engine = create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,
            pool_size=_POOL_SIZE,
            max_overflow=_POOL_OVERFLOW,
            hide_parameters=True,
            connect_args={"connect_timeout": 10},
        )
    except ImportError as error:  # the package is missing, or the library that it needs
        raise StoreError(
            f"PostgreSQL needs the package psycopg, which cannot be loaded ({str(error).splitlines()[0]}); remedy: "
            "pip install 'pricesmith[postgres]'"
        ) from error
    return Database(engine)


def in_schema(url: str, schema: str) -> str:
    """Address of one schema of a PostgreSQL database.

    Raises:
        StoreError: The database is not PostgreSQL.
    """
    parsed = _parsed(url)
    if parsed.get_backend_name() != "postgresql":
        raise StoreError(
            f"{parsed.render_as_string()} has no schemas; allowed: postgresql://..., or no PRICESMITH_DATABASE_URL"
        )
    own = parsed.update_query_dict({"options": f"-csearch_path={schema}"})
    return own.render_as_string(hide_password=False)


def create_schema(url: str, schema: str) -> None:
    """Create a schema unless it exists; `schema` must be a safe name."""
    _execute(url, f'CREATE SCHEMA IF NOT EXISTS "{schema}"')


def drop_schema(url: str, schema: str) -> None:
    """Drop a schema with everything in it; `schema` must be a safe name."""
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
    except ArgumentError as error:  # the address may contain a password, so that it is not repeated
        raise StoreError(f"the database address is malformed; {remedy}") from error
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
        raise StoreUnavailable(
            f"the folder of {file} cannot be created: {error}; remedy: choose a writable folder"
        ) from error
    engine = create_engine(
        url.set(database=str(file)),
        pool_size=_POOL_SIZE,
        max_overflow=_POOL_OVERFLOW,
        pool_use_lifo=True,  # each connection has its own page cache: reuse few warm ones rather than all in turn
        hide_parameters=True,
        # The driver must not begin transactions itself; `_begin` does.
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
    cursor = connection.connection.cursor()  # the driver's own, at a tenth of the cost
    cursor.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
    cursor.close()


@contextmanager
def _translated(engine: Engine) -> Iterator[None]:
    """Translate errors of SQLAlchemy and of the driver, which `Statement` calls itself.

    Messages have the driver's cause alone, as statements may contain personal data.
    """
    driver = engine.dialect.loaded_dbapi
    try:
        yield
    except (OperationalError, InterfaceError, TimeoutError, driver.OperationalError, driver.InterfaceError) as error:
        what = f"the store {_named(engine)} does not answer: {_cause(error)}"
        raise StoreUnavailable(f"{what}; remedy: check disk space and connection, retry") from error
    except (DataError, driver.DataError, OverflowError, UnicodeEncodeError) as error:
        raise InvalidRecord(f"a value cannot be stored: {_cause(error)}; remedy: correct the input") from error
    except StatementError as error:
        if isinstance(error.orig, ValueError):
            raise InvalidRecord(f"a value cannot be stored: {error.orig}") from error
        raise StoreError(f"the store {_named(engine)} refused a statement: {_cause(error)}") from error
    except driver.Error as error:
        raise StoreError(f"the store {_named(engine)} refused a statement: {_cause(error)}") from error
    except SQLAlchemyError as error:
        raise StoreError(f"the store {_named(engine)} failed: {error}") from error


def _named(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=True)


def _cause(error: Exception) -> str:
    if isinstance(error, UnicodeEncodeError):
        return error.reason
    original = error.orig if isinstance(error, StatementError) else error
    return str(original).partition("\n")[0]
