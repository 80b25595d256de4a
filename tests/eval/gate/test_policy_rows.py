"""`eval policy` with a baseline: an identical run passes, a biased policy exits with code 1."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from agent.cli.main import app as commands
from eval.policy import suites as policy
from eval.policy.pricesmith import Pricesmith
from tests.prepared import World


class Biased(Pricesmith):
    """Offer everything at 65 % of the reference price."""

    def prices(self, visits: object) -> list[float]:
        return [0.65 for _ in Pricesmith.prices(self, visits)]  # type: ignore[arg-type]


def run_policy(world: World, out: Path, *options: str) -> Result:
    policies = ("--policy", "Pricesmith", "--policy", "hold reference")
    chosen = ("--world", "loans", *policies, "--visits", "200", "--seeds", "1", "--out", str(out))
    return CliRunner().invoke(commands, ["eval", "policy", *chosen, *options, "--data-dir", str(world.folder)])


def test_a_biased_policy_exits_1(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_policy(world, tmp_path, "--save-baseline", "test-main")
    again = run_policy(world, tmp_path, "--baseline", "test-main")
    assert "regression: policy:" not in again.output
    monkeypatch.setattr(policy, "Pricesmith", Biased)
    worse = run_policy(world, tmp_path, "--baseline", "test-main")
    assert worse.exit_code == 1, worse.output
    assert "regression: policy: profit: lost" in worse.output
