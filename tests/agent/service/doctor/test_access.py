from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.domain.clock import FixedClock
from agent.service.auth.api_keys import KeyRing, Scope
from agent.service.auth.signing_keys import load_keys
from agent.service.doctor.access import check_api_keys, check_signing_key
from agent.service.doctor.finding import Level
from agent.service.settings import Settings
from agent.store import Store

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    with Store.open(sqlite_url) as one:
        yield one


@pytest.fixture
def signing(tmp_path: Path) -> Path:
    """The path of a signing key that is there."""
    path = tmp_path / "keys" / "signing.pem"
    load_keys(path)
    return path


def test_a_signing_key_that_nothing_needs_yet_may_be_missing(tmp_path: Path) -> None:
    path = tmp_path / "signing.pem"
    assert check_signing_key(path, needed=False).level is Level.OK
    assert not path.exists()


def test_a_signing_key_that_signed_something_must_be_there(tmp_path: Path) -> None:
    finding = check_signing_key(tmp_path / "signing.pem", needed=True)
    assert finding.level is Level.PROBLEM
    assert "restore it from a backup" in finding.remedy


def test_a_whole_signing_key_is_well(signing: Path) -> None:
    assert check_signing_key(signing, needed=True).level is Level.OK


def test_a_damaged_signing_key_is_a_problem(signing: Path) -> None:
    signing.write_text("no key")
    finding = check_signing_key(signing, needed=True)
    assert finding.level is Level.PROBLEM
    assert "restore it from a backup" in finding.remedy


def test_a_signing_key_that_others_can_read_is_a_warning(signing: Path) -> None:
    signing.chmod(0o644)
    finding = check_signing_key(signing, needed=True)
    assert (finding.level, finding.remedy) == (Level.WARNING, f"chmod 600 {signing}")


def test_without_any_key_nobody_can_call(store: Store) -> None:
    finding = check_api_keys(store, Settings(), NOW)
    assert (finding.level, finding.remedy) == (Level.PROBLEM, "pricesmith keys create NAME")


def test_revoked_and_expired_keys_do_not_count(store: Store) -> None:
    ring = KeyRing(store, FixedClock(NOW))
    ring.revoke(ring.create("old", [Scope.QUOTES]).key.key_id)
    ring.create("short", [Scope.QUOTES], NOW + timedelta(days=1))
    assert check_api_keys(store, Settings(), NOW).level is Level.OK
    assert check_api_keys(store, Settings(), NOW + timedelta(days=2)).level is Level.PROBLEM


@pytest.mark.parametrize(
    ("secret", "level"),
    [("a-key-of-enough-letters", Level.OK), ("short", Level.PROBLEM)],
    ids=["long enough", "too short"],
)
def test_a_key_in_the_settings_counts_when_it_is_long_enough(
    secret: str, level: Level, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRICESMITH_BOOTSTRAP_KEY", secret)
    finding = check_api_keys(store, Settings(), NOW)
    assert finding.level is level
    assert secret not in finding.detail + finding.remedy
