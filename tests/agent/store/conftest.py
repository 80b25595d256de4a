"""A store on each database."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from agent.domain.clock import FixedClock
from agent.store import Store


@pytest.fixture
def clock() -> FixedClock:
    """The store's clock."""
    return FixedClock(datetime(2026, 3, 1, 12, tzinfo=UTC))


@pytest.fixture
def store(store_url: str, clock: FixedClock) -> Iterator[Store]:
    """An open, empty store."""
    with Store.open(store_url, clock) as opened:
        yield opened
