from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from agent.service.doctor.finding import Finding, Level
from agent.service.doctor.stored_data import existing_store
from agent.service.settings import Settings
from agent.store import Store
from agent.store.data_folder import DataFolder
from agent.store.engine import open_database
from agent.store.migrate import downgrade, upgrade
from agent.store.schema_version import found_version


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


@pytest.fixture
def url(settings: Settings) -> str:
    """The address of a database with the newest schema."""
    found = DataFolder(settings.data_dir).database_url
    Store.open(found).close()
    return found


def check(settings: Settings) -> tuple[Finding, bool]:
    """The finding, and whether the store can be used."""
    with existing_store(settings) as (finding, store):
        return finding, store is not None


def test_an_empty_folder_has_no_database_and_gets_none(settings: Settings) -> None:
    finding, usable = check(settings)
    assert (finding.level, usable) == (Level.PROBLEM, False)
    assert "pricesmith prepare" in finding.remedy
    assert list(settings.data_dir.iterdir()) == []


def test_a_database_of_this_release_is_well(settings: Settings, url: str) -> None:
    finding, usable = check(settings)
    assert (finding.level, usable) == (Level.OK, True)


def test_an_older_schema_is_a_warning_and_is_not_upgraded(settings: Settings, url: str) -> None:
    with closing(open_database(url)) as database:
        downgrade(database, "0007")
    finding, usable = check(settings)
    assert (finding.level, usable) == (Level.WARNING, False)
    assert "schema 0007" in finding.detail
    with closing(open_database(url)) as database, database.read() as connection:
        assert found_version(connection) == "0007"


def test_a_newer_schema_is_a_problem(settings: Settings, url: str) -> None:
    with closing(open_database(url)) as database, database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    finding, _ = check(settings)
    assert finding.level is Level.PROBLEM
    assert "a newer Pricesmith wrote it" in finding.detail


def test_a_database_without_tables_is_a_problem(settings: Settings) -> None:
    DataFolder(settings.data_dir).database.touch()
    finding, usable = check(settings)
    assert (finding.level, usable) == (Level.PROBLEM, False)
    assert finding.remedy == "pricesmith prepare"


def test_a_damaged_file_is_a_problem(settings: Settings, url: str) -> None:
    DataFolder(settings.data_dir).database.write_bytes(b"no database at all, but some text" * 100)
    finding, usable = check(settings)
    assert (finding.level, usable) == (Level.PROBLEM, False)
    assert "restore" in finding.remedy or "check disk space" in finding.remedy


def test_a_server_that_does_not_answer_is_a_problem(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    settings = Settings(data_dir=tmp_path, database_url="postgresql://user:secret@127.0.0.1:1/none")
    finding, _ = check(settings)
    assert finding.level is Level.PROBLEM
    assert "does not answer" in finding.detail
    assert "secret" not in finding.detail


def test_an_address_that_is_no_database_is_a_problem(tmp_path: Path) -> None:
    finding, _ = check(Settings(data_dir=tmp_path, database_url="mysql://host/name"))
    assert finding.level is Level.PROBLEM
    assert finding.remedy == "set PRICESMITH_DATABASE_URL"


def test_postgresql_is_checked_as_well(postgres_url: str, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, database_url=postgres_url)
    assert check(settings)[0].remedy == "pricesmith prepare"
    with closing(open_database(postgres_url)) as database:
        upgrade(database)
    assert check(settings)[0].level is Level.OK
