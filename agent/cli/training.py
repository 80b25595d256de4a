"""`train`: new model versions, from the shop's own outcomes or from the demo data."""

from dataclasses import asdict, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic_core import to_jsonable_python

from agent.cli.opening import require_models
from agent.cli.options import DataDir, Json, settings_for
from agent.cli.output import print_facts, print_json, print_table, progress_bar, store_fact
from agent.domain.clock import SystemClock
from agent.service.opening import open_store
from agent.service.settings import Settings
from agent.store import StoreKind
from agent.store.data_folder import DataFolder
from models.progress import Progress
from models.registry.registry import ORDER, ModelKind, ModelMeta, Registry

if TYPE_CHECKING:
    from agent.training.own_store import OwnTraining
    from models.training.own_report import OwnReport

_TEXTS = (ModelKind.UNDERSTANDING, ModelKind.NARRATOR)
_TRAINED_WITH = {
    ModelKind.ENCODER: (),
    ModelKind.EVALUATOR: (ModelKind.ENCODER,),
    ModelKind.STRATEGIST: (ModelKind.ENCODER, ModelKind.EVALUATOR),
    ModelKind.UNDERSTANDING: (ModelKind.ENCODER,),
    ModelKind.NARRATOR: (),
}
"""Kinds that must be in use when a kind is trained on the demo data."""


class TrainOn(StrEnum):
    """Source of training data."""

    DEMO = "demo"
    STORE = "store"


def train(
    kind: Annotated[
        ModelKind | None,
        typer.Argument(help=f"One of {', '.join(ORDER)}. Default: all, in this order.", show_default=False),
    ] = None,
    version: Annotated[
        str | None, typer.Option(help="Name of the new version. Default: date and time.", show_default=False)
    ] = None,
    data: Annotated[
        TrainOn | None,
        typer.Option(
            help="Data to train on. store: its outcomes, for the evaluator only. Default: store for the evaluator, "
            "demo for other models and in the demo store.",
            show_default=False,
        ),
    ] = None,
    layers: Annotated[
        int | None,
        typer.Option(min=1, max=30, help="Layers of SmolLM2 in the strategist. Default: 4.", show_default=False),
    ] = None,
    ship_to: Annotated[
        Path | None, typer.Option(help="Folder to which the trained weights are also written, as small deltas.")
    ] = None,
    activate: Annotated[
        bool,
        typer.Option(help="Put the new version in use; with --no-activate `pricesmith models activate` does it later."),
    ] = True,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Train models on your own outcomes or the demo data.

    Uses an NVIDIA GPU where there is one. On the demo data all five models take minutes with a GPU, an hour or more on
    two cores, and hours on a processor without bfloat16 instructions. On your own outcomes the evaluator takes minutes;
    where the outcomes cannot teach how price moves demand, the command says why and trains nothing.

    Example: pricesmith train evaluator --version mine
    """
    settings = settings_for(data_dir)
    name = version or f"{datetime.now(UTC):%Y%m%d-%H%M%S}"
    if _source(kind, data, settings) is TrainOn.STORE:
        _train_on_store(settings, name, activate=activate, json=json)
        return
    if not activate:
        raise typer.BadParameter(
            "needs --data store: on the demo data each model is trained with the one before it in use",
            param_hint="--no-activate",
        )
    _train_on_demo(settings, (kind,) if kind is not None else ORDER, name, (layers, ship_to), json=json)


def _source(kind: ModelKind | None, data: TrainOn | None, settings: Settings) -> TrainOn:
    """The data that was asked for; else a shop's own outcomes, and the demo data where there is no such shop.

    Raises:
        typer.BadParameter: The demo data was not asked for, and the models would set a shop's own prices.
    """
    if data is TrainOn.STORE and kind is not ModelKind.EVALUATOR:
        raise typer.BadParameter(
            "store trains the evaluator only; remedy: pricesmith train evaluator --data store", param_hint="--data"
        )
    if data is not None:
        return data
    if kind is ModelKind.EVALUATOR:
        require_models(settings)
        with open_store(settings) as store:
            return TrainOn.DEMO if store.kind() is StoreKind.DEMO else TrainOn.STORE
    with open_store(settings) as store:
        own = store.in_own_use()
    if own:
        raise typer.BadParameter(
            f"this store is a shop's own, and {kind or 'all models'} can be trained on the demo data only; remedy: "
            "pricesmith train evaluator learns from its outcomes, --data demo trains on the demo data on purpose",
            param_hint="--data",
        )
    return TrainOn.DEMO


def _train_on_demo(
    settings: Settings,
    kinds: tuple[ModelKind, ...],
    version: str,
    wanted: tuple[int | None, Path | None],
    *,
    json: bool,
) -> None:
    """Train in order, each with those before it in use; `wanted`: the strategist's layers, a folder for deltas."""
    from agent.service.ingest.preparation import prepare_models  # torch and the trainers load slowly
    from agent.training.demo import TrainingPlan
    from agent.training.demo import train as run_training
    from agent.training.language_models import train_text
    from models.datasets.complete_journey import DEMO
    from models.registry.versions import ship
    from models.training.encoder import EncoderTrainingConfig
    from prompts import load_prompt

    layers, ship_to = wanted
    with open_store(settings) as store:
        beside = store.kind()
    folder = DataFolder(settings.data_dir)
    registry = Registry(folder.models)
    priced = tuple(kind for kind in kinds if kind not in _TEXTS)
    made: list[ModelMeta] = []
    with progress_bar(quiet=json) as progress:
        if len(kinds) == 1:
            prepare_models(folder, progress, kinds=_TRAINED_WITH[kinds[0]])
        if priced:
            plan = TrainingPlan(priced, version, encoder=EncoderTrainingConfig(base=settings.encoder))
            if layers is not None:
                plan = replace(plan, strategist=replace(plan.strategist, layers=layers))
            made += run_training(registry, plan, load_prompt("strategist", settings.prompt_version), progress)
        made += [train_text(registry, kind, version, progress) for kind in kinds if kind in _TEXTS]
    if ship_to is not None:
        for kind in kinds:
            ship(registry, kind, ship_to)
    trained_on = {**store_fact(beside, json=json), "trained on": f"{DEMO}, simulated, for education only"}
    if json:
        print_json([meta.model_dump(mode="json") | {"store": beside.value} for meta in made])
        return
    print_facts(trained_on)
    for meta in made:
        rows = [(name, f"{value:.5g}") for name, value in meta.metrics.items()]
        print_table(f"{meta.kind} {meta.version} (validation)", ("metric", "value"), rows)


def _train_on_store(settings: Settings, version: str, *, activate: bool, json: bool) -> None:
    with open_store(settings) as store:
        kind = store.kind()
    with progress_bar(quiet=json) as progress:
        made = trained_on_store(settings, version, progress, activate=activate)
    if json:
        print_json({**store_fact(kind, json=True), **training_summary(made)})
    else:
        print_facts({**store_fact(kind, json=False), "trained on": made.meta.trained_on})
        _print_report(version, made.report)


def trained_on_store(settings: Settings, version: str, progress: Progress, *, activate: bool) -> "OwnTraining":
    """Load what training needs, and train the evaluator on the store's outcomes.

    Raises:
        TrainingDataError: The outcomes do not identify a price response; nothing is changed.
    """
    from agent.service.assembly import build_components  # torch loads slowly
    from agent.training.own_store import OwnStore, train_on_store

    require_models(settings)
    with open_store(settings) as store:
        progress("load models and indexes", 0.0)
        parts = build_components(settings, store, SystemClock(), None)
        progress("load models and indexes", 1.0)
        source = OwnStore(parts.store, parts.catalogue, parts.pipeline.observer.reader, parts.folder.models)
        return train_on_store(source, version, progress, activate=activate)


def training_summary(made: "OwnTraining") -> dict[str, Any]:
    """The version and its comparison with other models, as `--json` prints them and jobs keep them."""
    report = made.report
    found: dict[str, Any] = to_jsonable_python(
        {"meta": made.meta, "report": asdict(report), "proven_better": report.proven_better}
    )
    return found


def _print_satisfaction(report: "OwnReport") -> None:
    found = report.satisfaction
    print_facts(
        {
            "satisfaction": found.source,
            "content at the reference": "{:.0%} (90 %: {:.0%} to {:.0%})".format(*found.at_reference),
            "content at a price 10 % higher": "{:.0%} (90 %: {:.0%} to {:.0%})".format(*found.at_more),
            "priors": ", ".join(report.priors) or "none",
        }
    )
    if found.measures:
        print_table(
            "satisfaction, judged on the latest reports",
            ("evidence", "reports", "held out", "log loss", "of their mean", "mean/rate", "used"),
            [
                (
                    one.evidence.value,
                    f"{one.reports:,}",
                    f"{one.held_out:,}",
                    *("" if n is None else f"{n:.5f}" for n in (one.log_loss, one.constant)),
                    "" if one.mean_over_rate is None else f"{one.mean_over_rate:.2f}",
                    one.used,
                )
                for one in found.measures
            ],
        )
    for note in found.notes:
        print_facts({"note": note})


def _print_report(version: str, report: "OwnReport") -> None:
    rows = [
        (
            line.name,
            f"{line.log_loss:.5f}",
            f"{line.rig:.3f}",
            f"{line.auc:.3f}",
            f"{line.mean_over_rate:.2f}",
            "" if place == 0 else f"{line.low:+.5f} to {line.high:+.5f}",
        )
        for place, line in enumerate(report.lines)
    ]
    counts = ", ".join(f"{count} {name}" for name, count in report.rows.items())
    headings = ("model", "log loss", "RIG", "AUC", "mean/rate", "log loss less ours, 95 %")
    print_table(f"evaluator {version} on its latest outcomes ({counts})", headings, rows)
    value, low, high = report.elasticity
    print_facts(
        {
            "elasticity of demand at the reference": f"{value:.2f} (90 %: {low:.2f} to {high:.2f})",
            "identified by": report.identified_by.replace("_", " "),
        }
    )
    _print_satisfaction(report)
    if report.segments:
        print_table(
            "elasticity of demand where most was offered",
            ("by", "name", "offers", "elasticity, 90 %", "prices seen, of the reference"),
            [
                (
                    one.by,
                    one.name,
                    f"{one.offers:,}",
                    "{:.2f} ({:.2f} to {:.2f})".format(*one.elasticity),
                    f"{one.lowest:.0%} to {one.highest:.0%}",
                )
                for one in report.segments
            ],
        )
    for note in report.notes:
        print_facts({"note": note})
