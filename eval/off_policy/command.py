"""Commands `eval policy --log` and `--estimators`: evaluate, write reports and save the proof."""

import json as jsonlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from agent.cli.output import print_facts, print_json, store_fact
from agent.service.opening import open_store
from agent.service.settings import Settings
from agent.store import Store
from agent.store.data_folder import DataFolder
from agent.training.promotion import PRICING, Promotions, Proof
from eval.off_policy.calibration import LOGS, VISITS, calibrate
from eval.off_policy.log import Log, read_log
from eval.off_policy.promotion import MIN_DECISIONS, CandidateEvaluation, evaluate_candidate
from eval.off_policy.replay import Replayed, replay
from eval.off_policy.report import print_accuracy, print_evaluation, write_page
from models.errors import RegistryError
from models.progress import Progress
from models.registry.registry import ModelKind, Registry

STORE = "store"


def log_command(
    settings: Settings, subject: tuple[str, Sequence[str]], target: Path, progress: Progress, *, json: bool
) -> bool:
    """Evaluate candidate versions on a log and save the proof; returns whether they may go live.

    Args:
        settings: Settings of the service: limits, pack, weights.
        subject: Log (`store`, a SQLite file or a database URL), and candidates (`KIND/VERSION`).
        target: Folder of the reports.
        progress: Called with the progress of the replay.
        json: Whether to print JSON.

    Raises:
        RegistryError: A candidate is unknown, or the log is too short.
    """
    where, names = subject
    registry = Registry(DataFolder(settings.data_dir).models)
    wanted = _versions(names)
    for kind, version in wanted.items():
        registry.check_installed(kind, version)
    versions = {**registry.in_use(), **wanted}
    with _open(settings, where) as store:
        origin = store.kind()
        log = read_log(store)
        _refuse_short(log)
        replayed = replay(log, settings, store, versions, progress)
    name = ", ".join(names) or "versions in use"
    evaluation = evaluate_candidate(replayed, name)
    proof = _proof(replayed, log, evaluation, {kind: versions[kind] for kind in PRICING if kind in versions})
    promotions = Promotions(DataFolder(settings.data_dir).models)
    for kind, version in wanted.items():
        promotions.keep(kind, version, proof)
    facts = {
        "store": origin.value,
        "proof": proof.model_dump(mode="json"),
        "left_out": log.left_out,
        **asdict(evaluation),
    }
    (target / "off-policy.json").write_text(jsonlib.dumps(facts, indent=1) + "\n", "utf-8")
    write_page(evaluation, proof, target / "off-policy.html")
    if json:
        print_json(facts)
    else:
        print_facts(store_fact(origin, json=False))
        print_evaluation(evaluation, proof, log)
        sys.stdout.write(f"report: {target / 'off-policy.html'}\n")
    for reason in evaluation.verdict.reasons:
        sys.stderr.write(f"pricesmith: may not go live: {reason}\n")
    return evaluation.verdict.promotes


def estimators_command(target: Path, progress: Progress, *, json: bool, quick: bool) -> None:
    """Measure bias, error and coverage of every estimator on simulated logs."""
    found = [asdict(one) for one in calibrate(progress, logs=LOGS // 5 if quick else LOGS)]
    facts = {"visits": VISITS, "logs": LOGS // 5 if quick else LOGS, "accuracy": found}
    (target / "estimators.json").write_text(jsonlib.dumps(facts, indent=1) + "\n", "utf-8")
    print_json(facts) if json else print_accuracy(found)


def _versions(names: Sequence[str]) -> Mapping[ModelKind, str]:
    found = {}
    for name in names:
        kind, slash, version = name.partition("/")
        if not slash or kind not in PRICING:
            allowed = ", ".join(f"{one}/VERSION" for one in sorted(PRICING))
            raise RegistryError(f"candidate {name!r}; allowed: {allowed}; remedy: pricesmith models list")
        found[ModelKind(kind)] = version
    return found


def _open(settings: Settings, where: str) -> Store:
    if where == STORE:
        return open_store(settings)
    if "://" in where:
        return Store.open(where)
    path = Path(where)
    if not path.is_file():
        raise FileNotFoundError(f"file {where} does not exist; allowed: a SQLite file, a database URL, or `{STORE}`")
    return Store.open(f"sqlite:///{path.resolve()}")


def _refuse_short(log: Log) -> None:
    bought = sum(quote.bought for quote in log.quotes)
    if len(log.quotes) < MIN_DECISIONS or bought in (0, len(log.quotes)):
        others = ", ".join(f"{count} {reason}" for reason, count in log.left_out.items()) or "none"
        raise RegistryError(
            f"the log has {len(log.quotes)} decisions that can be evaluated, {bought} of them purchases (left out: "
            f"{others}); needed: {MIN_DECISIONS}, with purchases and declines; remedy: report outcomes and wait"
        )


def _proof(replayed: Replayed, log: Log, evaluation: CandidateEvaluation, versions: Mapping[ModelKind, str]) -> Proof:
    gain = evaluation.verdict.gain
    return Proof(
        versions=versions,
        decisions=len(replayed.quotes),
        log_end=replayed.quotes[-1].decision.at,
        currency=log.currency,
        gain=gain.value,
        gain_low=gain.low,
        gain_high=gain.high,
        reasons=evaluation.verdict.reasons,
        made_at=datetime.now(UTC),
    )
