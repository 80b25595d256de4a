"""`models` and `train`: versions, and where they come from."""

from dataclasses import asdict, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from agent.cli.options import DataDir, Json, settings_for
from agent.cli.output import print_facts, print_json, print_table, progress_bar
from agent.domain.clock import HISTORY_END_KEY, SystemClock
from agent.service.assembly import build_components
from agent.service.ingest.preparation import prepare_models
from agent.service.opening import open_store
from agent.store.data_folder import DataFolder
from agent.training.promotion import Activation, Promotions
from models.registry.registry import ORDER, ModelKind, ModelMeta, Registry, read_meta
from models.registry.reproduction import Compared, compare, trained_otherwise
from models.registry.versions import shipped_meta

app = typer.Typer(no_args_is_help=True, help="List, activate and roll back model versions.")


class TrainOn(StrEnum):
    """Where training data comes from."""

    DEMO = "demo"
    STORE = "store"


def train(
    kind: Annotated[ModelKind | None, typer.Argument(help="What to train; all five, in order, when left out.")] = None,
    version: Annotated[str | None, typer.Option(help="Name of the new version; the date when left out.")] = None,
    data: Annotated[
        TrainOn | None,
        typer.Option(help="demo, or store: your own outcomes (evaluator only). Store, where it has any of its own."),
    ] = None,
    layers: Annotated[
        int | None, typer.Option(min=1, max=30, help="Layers of SmolLM2 that the strategist keeps; 4 when left out.")
    ] = None,
    ship_to: Annotated[Path | None, typer.Option(help="Also write the small deltas to this folder.")] = None,
    activate: Annotated[bool, typer.Option(help="With --no-activate `models activate` puts it in use.")] = True,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Train and activate what was trained, on an NVIDIA GPU where there is one.

    On demo data all five take minutes with a GPU, an hour or more on two cores, hours without bfloat16 instructions.

    Example: pricesmith train evaluator --version mine
    """
    if _source(kind, data, data_dir) is TrainOn.STORE:
        _train_on_store(version, data_dir, activate=activate, json=json)
        return
    if not activate:
        raise typer.BadParameter("--no-activate goes with --data store: on demo data each model is trained on the last")
    from agent.training.demo import TrainingPlan  # imported here: torch and its trainers load slowly
    from agent.training.demo import train as run_training
    from agent.training.language_models import train_text
    from models.registry.versions import ship
    from prompts import load_prompt

    settings = settings_for(data_dir)
    registry = Registry(DataFolder(settings.data_dir).models)
    kinds = (kind,) if kind is not None else ORDER
    name = version or f"{datetime.now(UTC):%Y%m%d-%H%M%S}"
    texts = (ModelKind.UNDERSTANDING, ModelKind.NARRATOR)
    priced = tuple(one for one in kinds if one not in texts)
    made = []
    with progress_bar(quiet=json) as progress:
        if kind is not None and kind is not ModelKind.ENCODER:
            prepare_models(DataFolder(settings.data_dir), progress)
        if priced:
            plan = TrainingPlan(priced, name)
            if layers is not None:
                plan = replace(plan, strategist=replace(plan.strategist, layers=layers))
            made += run_training(registry, plan, load_prompt("strategist", settings.prompt_version), progress)
        made += [train_text(registry, one, name, progress) for one in kinds if one in texts]
    if ship_to is not None:
        for one in kinds:
            ship(registry, one, ship_to)
    _tell(made, json)


def _source(kind: ModelKind | None, data: TrainOn | None, data_dir: Path | None) -> TrainOn:
    """What was asked for; else a shop's own outcomes for the evaluator, the demo data for all else."""
    if data is TrainOn.STORE and kind is not ModelKind.EVALUATOR:
        raise typer.BadParameter("--data store trains the evaluator: pricesmith train evaluator --data store")
    if data is not None or kind is not ModelKind.EVALUATOR:
        return data or TrainOn.DEMO
    settings = settings_for(data_dir)
    with open_store(settings) as store:
        own = store.meta(HISTORY_END_KEY) is None and next(store.outcomes_since(0), None) is not None
    return TrainOn.STORE if own else TrainOn.DEMO


def _train_on_store(version: str | None, data_dir: Path | None, *, activate: bool, json: bool) -> None:
    from agent.training.own_store import OwnStore, train_on_store  # imported here: torch loads slowly

    settings = settings_for(data_dir)
    name = version or f"{datetime.now(UTC):%Y%m%d-%H%M%S}"
    with progress_bar(quiet=json) as progress, open_store(settings) as store:
        parts = build_components(settings, store, SystemClock(), None)
        source = OwnStore(parts.store, parts.catalogue, parts.pipeline.observer.reader, parts.folder.models)
        made = train_on_store(source, name, progress, activate=activate)
    if json:
        print_json({"meta": made.meta.model_dump(mode="json"), "report": asdict(made.report)})
        return
    rows = [
        (
            line.name,
            f"{line.log_loss:.5f}",
            f"{line.rig:.3f}",
            f"{line.auc:.3f}",
            f"{line.mean_over_rate:.2f}",
            "" if place == 0 else f"{line.low:+.5f} to {line.high:+.5f}",
        )
        for place, line in enumerate(made.report.lines)
    ]
    counts = ", ".join(f"{count} {name}" for name, count in made.report.rows.items())
    headings = ("model", "log loss", "RIG", "AUC", "mean/rate", "log loss less ours, 95 %")
    print_table(f"evaluator {name} on its latest outcomes ({counts})", headings, rows)
    value, low, high = made.report.elasticity
    print_facts({"elasticity at the reference": f"{value:.2f} (90 %: {low:.2f} to {high:.2f})"})
    for note in made.report.notes:
        print_facts({"note": note})


@app.command("list")
def list_versions(data_dir: DataDir = None, json: Json = False) -> None:
    """Every version, which is active, and its main figures. Example: pricesmith models list."""
    registry = Registry(DataFolder(settings_for(data_dir).data_dir).models)
    found = []
    for kind in ORDER:
        active = registry.active(kind) if registry.is_active(kind) else None
        for version in registry.versions(kind):
            meta = read_meta(registry.folder(kind, version))
            found.append(
                {
                    "kind": kind,
                    "version": version,
                    "active": version == active,
                    "created": meta.created_at,
                    "metrics": dict(meta.metrics),
                }
            )
    if json:
        print_json(found)
        return
    rows = [(f["kind"], f["version"], "yes" if f["active"] else "", f["created"], _short(f["metrics"])) for f in found]
    print_table("Model versions", ("kind", "version", "active", "created", "metrics"), rows)


@app.command("compare")
def compare_shipped(
    kinds: Annotated[list[ModelKind] | None, typer.Argument(help="Which kinds; all five when left out.")] = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Active versions against the shipped ones: exit 1 when a validation metric lies outside its tolerance.

    Example: pricesmith train && pricesmith models compare
    """
    registry = Registry(DataFolder(settings_for(data_dir).data_dir).models)
    found: list[Compared] = []
    otherwise: list[str] = []
    for kind in kinds or ORDER:
        active, shipped = read_meta(registry.folder(kind, registry.active(kind))), shipped_meta(kind)
        found += compare(active, shipped)
        otherwise += trained_otherwise(active, shipped)
    if json:
        print_json({"metrics": [asdict(one) | {"within": one.within} for one in found], "otherwise": otherwise})
    else:
        rows = [
            (
                one.kind,
                one.metric,
                f"{one.trained:.5g}",
                f"{one.shipped:.5g}",
                f"{one.tolerance:g}",
                "" if one.within else "no",
            )
            for one in found
        ]
        print_table("Active against shipped", ("kind", "metric", "active", "shipped", "tolerance", "within"), rows)
        for line in otherwise:
            print_facts({"trained otherwise": line})
    if otherwise or not all(one.within for one in found):
        raise typer.Exit(1)


@app.command("activate")
def activate(
    kind: ModelKind,
    version: str,
    force: Annotated[bool, typer.Option("--force", help="Without proof; needs --by and --why.")] = False,
    by: Annotated[str | None, typer.Option(help="Who forces it.")] = None,
    why: Annotated[str | None, typer.Option(help="The reason, which is written down.")] = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Put a version in use, after its files and the proof that it earns more were checked.

    `pricesmith eval policy --log store --candidate KIND/VERSION` makes the proof.

    Example: pricesmith models activate evaluator v4
    """
    if force and not (by and why):
        raise typer.BadParameter("--force needs --by NAME and --why REASON: both are written down")
    promotions = Promotions(DataFolder(settings_for(data_dir).data_dir).models)
    _say(promotions.activate(kind, version, forced_by=by if force else None, why=why), json)


@app.command("rollback")
def rollback(kind: ModelKind, data_dir: DataDir = None, json: Json = False) -> None:
    """Go back to the version in use before. Example: pricesmith models rollback evaluator."""
    _say(Promotions(DataFolder(settings_for(data_dir).data_dir).models).rollback(kind), json)


@app.command("history")
def history(data_dir: DataDir = None, json: Json = False) -> None:
    """What went live when, on what grounds, and who forced it. Example: pricesmith models history."""
    done = Promotions(DataFolder(settings_for(data_dir).data_dir).models).history()
    if json:
        print_json([one.model_dump(mode="json") for one in done])
        return
    rows = [(f"{one.at:%Y-%m-%d %H:%M}", one.kind, one.version, _grounds(one)) for one in done]
    print_table("Activations", ("at (UTC)", "kind", "version", "grounds"), rows)


def _grounds(one: Activation) -> str:
    if one.forced_by is not None:
        return f"forced by {one.forced_by}: {one.why}"
    if one.proof is None:
        return one.why or "needs no proof"
    return (
        f"gain {one.proof.gain:+.2f} ({one.proof.gain_low:+.2f} to {one.proof.gain_high:+.2f}) minor units a decision"
    )


def _say(done: Activation, json: bool) -> None:
    facts = {"kind": done.kind.value, "active": done.version}
    print_json(facts) if json else print_facts(facts)


def _tell(made: list[ModelMeta], json: bool) -> None:
    if json:
        print_json([meta.model_dump(mode="json") for meta in made])
        return
    for meta in made:
        rows = [(name, f"{value:.5g}") for name, value in meta.metrics.items()]
        print_table(f"{meta.kind} {meta.version} (validation)", ("metric", "value"), rows)


def _short(metrics: object) -> str:
    return (
        ", ".join(f"{name} {value:.4g}" for name, value in list(metrics.items())[:3])
        if isinstance(metrics, dict)
        else ""
    )
