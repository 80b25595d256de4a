"""A server killed under load loses nothing acknowledged; `make kill` does this 200 times."""

from pathlib import Path

import pytest

from eval.chaos.kill import KillConfig, KillRun, database
from tests.prepared import World


@pytest.mark.slow  # starts a server anew after each kill
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_nothing_acknowledged_is_lost_or_duplicated_by_kills(world: World, tmp_path: Path, kind: str) -> None:
    from eval.chaos.world import prepared_world

    own = world.copy(tmp_path / "data")
    with database(kind) as url:
        settings = own.settings(database_url=url)
        prepared_world(settings, None, lambda *_: None)
        report = KillRun(settings, KillConfig(kills=3, longest_s=1.0), lambda *_: None).run()
    assert report.problems == []
    assert report.quotes > 0
    assert report.audit_rows >= report.quotes + report.outcomes
