"""Off-policy evaluation on the service's own decision log, and promotion based on it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from agent.cli.main import app as commands
from agent.domain.records import OutcomeRecord, OutcomeType
from agent.service.opening import open_store
from agent.service.settings import Settings
from agent.store.data_folder import DataFolder
from agent.training.promotion import MAX_AGE, NotProven, Promotions, Proof
from eval.off_policy.estimators import Estimator, OffPolicyEvaluator
from eval.off_policy.intervals import bootstrap
from eval.off_policy.log import read_log
from eval.off_policy.promotion import evaluate_candidate, to_sample
from eval.off_policy.replay import Replayed, replay
from eval.off_policy.sample import Target
from eval.policy.pricesmith import Pricesmith
from eval.simulators import Courses, Visit
from models.registry.registry import ModelKind, Registry
from tests.prepared import World as Prepared

VISITS = 500


class Logged:
    """Simulated shop after `VISITS` visits priced by Pricesmith."""

    def __init__(self, models: Path) -> None:
        self.policy = Pricesmith(Courses(3), models, control_frac=0.2)
        self.visits: list[Visit] = []
        while len(self.visits) < VISITS:
            batch = self.policy.world.visits(self.policy.world.batch)
            ratios = self.policy.prices(batch)
            self.policy.learn(
                batch, ratios, [self.policy.world.settle(v, r) for v, r in zip(batch, ratios, strict=True)]
            )
            self.visits += batch

    @property
    def settings(self) -> Settings:
        return self.policy.settings


@pytest.fixture(scope="module")
def logged(world: Prepared) -> Iterator[Logged]:
    found = Logged(DataFolder(world.folder).models)
    yield found
    found.policy.close()


@pytest.fixture(scope="module")
def replayed(logged: Logged) -> Replayed:
    with open_store(logged.settings) as store:
        return replay(read_log(store), logged.settings, store, {}, lambda _what, _share: None)


def test_the_log_has_every_decision_with_its_probabilities(logged: Logged, replayed: Replayed) -> None:
    sample = to_sample(replayed)
    assert len(sample) == VISITS
    assert sample.chance.sum(axis=1) == pytest.approx(1.0)
    shown = np.isclose(sample.support, sample.shown[:, None]) * sample.chance
    assert shown.max(axis=1) == pytest.approx(sample.propensity)
    assert (sample.chance.max(axis=1) < 1).mean() > 0.5


def test_the_estimate_for_the_active_versions_covers_the_truth(logged: Logged, replayed: Replayed) -> None:
    found = evaluate_candidate(replayed, "in use")
    sample = to_sample(replayed)
    ratios = {
        "in use": replayed.price / np.asarray([q.decision.reference_minor for q in replayed.quotes]),
        "hold the reference": np.ones(VISITS),
    }
    for policy in found.policies:
        if policy.name in ratios:
            price = ratios[policy.name]
            chance = [float(v.probability(float(r))) for v, r in zip(logged.visits, price, strict=True)]
            truth = float((np.asarray(chance) * sample.margin(price)).mean())
            assert policy.doubly_robust.low < truth < policy.doubly_robust.high, policy.name


def test_a_replay_is_deterministic_and_writes_nothing(logged: Logged, replayed: Replayed) -> None:
    with open_store(logged.settings) as store:
        again = replay(read_log(store), logged.settings, store, {}, lambda _what, _share: None)
        assert len(read_log(store).quotes) == VISITS
    assert again.price.tolist() == replayed.price.tolist()


def test_later_decisions_do_not_change_earlier_prices(logged: Logged, replayed: Replayed) -> None:
    """Replay of the first half of the log equals the first half of the whole replay."""
    with open_store(logged.settings) as store:
        log = read_log(store)
        half = type(log)(log.quotes[: VISITS // 2], log.currency, log.left_out)
        first = replay(half, logged.settings, store, {}, lambda _what, _share: None)
    assert first.price.tolist() == replayed.price[: VISITS // 2].tolist()


def test_a_policy_equal_to_the_best_price_for_everyone_is_not_promoted(replayed: Replayed) -> None:
    reference = np.asarray([q.decision.reference_minor for q in replayed.quotes], np.float64)
    held = type(replayed)(**{**{name: getattr(replayed, name) for name in Replayed.__slots__}, "price": reference})
    verdict = evaluate_candidate(held, "everyone pays the reference").verdict
    assert not verdict.promotes
    assert "may be nothing" in verdict.reasons[-1]


def test_the_interval_of_a_small_price_change_includes_the_error_of_the_demand_model(replayed: Replayed) -> None:
    """Both policies are evaluated on the same sales, so their difference depends on the model's slope alone."""
    reference = np.asarray([q.decision.reference_minor for q in replayed.quotes], np.float64)
    sample = to_sample(replayed)
    evaluator = OffPolicyEvaluator.of(sample)
    own, hold = (
        evaluator.terms(Target.of(str(ratio), np.full(len(sample), ratio)), Estimator.KERNEL_DR, 0.16)
        for ratio in (1.02, 1.0)
    )
    gain = bootstrap(own, sample.cluster, less=hold)
    assert gain.high - gain.low > 0.01 * reference.mean()


def test_prices_far_from_those_of_the_log_are_not_promoted(replayed: Replayed) -> None:
    reference = np.asarray([q.decision.reference_minor for q in replayed.quotes], np.float64)
    far = type(replayed)(**{**{name: getattr(replayed, name) for name in Replayed.__slots__}, "price": reference * 5})
    reasons = evaluate_candidate(far, "five times").verdict.reasons
    assert any("0% of its decisions" in reason for reason in reasons)


def test_quotes_without_outcome_count_as_declined_after_a_day(logged: Logged) -> None:
    with open_store(logged.settings) as store:
        everything = read_log(store)
        assert not everything.left_out
        strict = read_log(store, silent_after=timedelta(days=9_999))
    assert len(strict.quotes) == len(everything.quotes)


def test_a_returned_purchase_counts_as_declined(logged: Logged, tmp_path: Path) -> None:
    with open_store(logged.settings) as store:
        quote = next(q for q in read_log(store).quotes if q.bought)
        decision = quote.decision
        store.record_outcomes(
            [
                OutcomeRecord(
                    outcome_id=f"{decision.id}:returned",
                    shopper_id=None,
                    product_id=decision.product_id,
                    currency=decision.currency,
                    price_minor=decision.price_minor,
                    reference_minor=decision.reference_minor,
                    type=OutcomeType.RETURNED,
                    quantity=1,
                    at=decision.at + timedelta(days=1),
                    quote_id=decision.id,
                )
            ]
        )
        after = next(q for q in read_log(store).quotes if q.decision.id == decision.id)
    assert not after.bought


def _proof(registry: Registry, version: str, **changes: object) -> Proof:
    facts: dict[str, object] = {
        "versions": {**registry.in_use(), ModelKind.EVALUATOR: version},
        "decisions": 900,
        "log_end": datetime.now(UTC),
        "currency": "USD",
        "gain": 2.0,
        "gain_low": 1.0,
        "gain_high": 3.0,
        "reasons": (),
        "made_at": datetime.now(UTC),
    }
    return Proof.model_validate({**facts, **changes})


@pytest.fixture
def models(world: Prepared, tmp_path: Path) -> Path:
    """A registry with a second evaluator, `next`."""
    own = world.copy(tmp_path / "data")
    folder = DataFolder(own.folder).models
    registry = Registry(folder)
    active = registry.active(ModelKind.EVALUATOR)
    source = registry.folder(ModelKind.EVALUATOR, active)

    def write(target: Path) -> None:
        for path in source.iterdir():
            if path.name != "meta.json":
                (target / path.name).write_bytes(path.read_bytes())

    from models.registry.registry import read_meta

    registry.install(read_meta(source).model_copy(update={"version": "next"}), write)
    return folder


def test_a_version_without_proof_stays_out(models: Path) -> None:
    with pytest.raises(NotProven, match="no proof on this shop's log"):
        Promotions(models).activate(ModelKind.EVALUATOR, "next")
    assert Registry(models).active(ModelKind.EVALUATOR) != "next"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"reasons": ("its gain may be nothing",)}, "its gain may be nothing"),
        ({"made_at": datetime.now(UTC) - MAX_AGE - timedelta(days=1)}, "more than 30 days ago"),
        (
            {"versions": {ModelKind.EVALUATOR: "next", ModelKind.ENCODER: "other"}},
            "beside versions of encoder, strategist that are not active",
        ),
    ],
)
def test_a_proof_that_does_not_prove_is_refused(models: Path, changes: dict[str, object], why: str) -> None:
    promotions = Promotions(models)
    promotions.keep(ModelKind.EVALUATOR, "next", _proof(Registry(models), "next", **changes))
    with pytest.raises(NotProven, match=why):
        promotions.activate(ModelKind.EVALUATOR, "next")


def test_a_version_with_proof_is_activated_and_the_history_gives_the_reason(models: Path) -> None:
    promotions = Promotions(models)
    promotions.keep(ModelKind.EVALUATOR, "next", _proof(Registry(models), "next"))
    promotions.activate(ModelKind.EVALUATOR, "next")
    promotions.rollback(ModelKind.EVALUATOR)
    first, second = promotions.history()
    assert (first.version, first.forced_by) == ("next", None)
    assert first.proof is not None
    assert first.proof.gain_low == 1.0
    assert second.why == "rolled back"


def test_a_forced_activation_is_recorded_with_its_author(models: Path) -> None:
    run = CliRunner()
    asked = ["models", "activate", "evaluator", "next", "--data-dir", str(models.parent)]
    refused = run.invoke(commands, asked)
    assert isinstance(refused.exception, NotProven)
    assert run.invoke(commands, [*asked, "--force"]).exit_code == 2
    assert run.invoke(commands, [*asked, "--force", "--by", "ops", "--why", "old one is damaged"]).exit_code == 0
    (line,) = Promotions(models).history()
    assert (line.forced_by, line.why, line.proof) == ("ops", "old one is damaged", None)


def test_a_kind_that_sets_no_prices_needs_no_proof(models: Path) -> None:
    registry = Registry(models)
    Promotions(models).activate(ModelKind.UNDERSTANDING, registry.active(ModelKind.UNDERSTANDING))


def test_the_command_evaluates_a_log_and_saves_the_proof(logged: Logged, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = logged.settings
    for name, value in settings.model_dump(mode="json", exclude_defaults=True).items():
        monkeypatch.setenv(f"PRICESMITH_{name.upper()}", str(value))
    version = Registry(DataFolder(settings.data_dir).models).active(ModelKind.EVALUATOR)
    out = settings.data_dir / "report"
    done = CliRunner().invoke(
        commands,
        ["eval", "policy", "--log", "store", "--candidate", f"evaluator/{version}", "--out", str(out), "--json"],
    )
    proof = Promotions(DataFolder(settings.data_dir).models).proof(ModelKind.EVALUATOR, version)
    assert proof is not None
    assert done.exit_code == (1 if proof.reasons else 0)
    assert proof.decisions == VISITS
    assert "<svg" in (out / "off-policy.html").read_text()


def test_a_log_that_is_too_short_is_refused_with_the_count(world: Prepared, tmp_path: Path) -> None:
    own = world.copy(tmp_path / "data")
    done = CliRunner().invoke(commands, ["eval", "policy", "--log", "store", "--data-dir", str(own.folder)])
    assert done.exit_code == 1
    assert "has 0 decisions that can be evaluated" in str(done.exception)
