"""Generated requests cause no server error and no undocumented response; `make attack` sends 10,000."""

import secrets
from pathlib import Path

import pytest

from eval.chaos.attack import attack
from eval.serving import ForkedServer, free_port, wait_ready
from tests.prepared import World


@pytest.mark.slow  # hundreds of requests to a server process
@pytest.mark.filterwarnings("default")  # schemathesis's own dependencies warn
def test_generated_requests_cause_no_error_and_no_undocumented_response(world: World, tmp_path: Path) -> None:
    own = world.copy(tmp_path / "data")
    key, port = secrets.token_urlsafe(24), free_port()
    environment = {"PRICESMITH_BOOTSTRAP_KEY": key, "PRICESMITH_LANGUAGE_MODEL": "false"}
    server = ForkedServer(own.folder, port, environment)
    try:
        wait_ready(server, f"http://127.0.0.1:{port}")
        report = attack(f"http://127.0.0.1:{port}", key, 250, lambda *_: None)
    finally:
        server.stop()
    assert report.problems == []
    assert report.cases >= 250
    assert set(report.statuses) > {"200"}, "some requests must have been invalid"
