"""`models` and `train`: versions, and where they come from."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from agent.commands.options import DataDir, Json, settings_for
from agent.commands.output import print_facts, print_json, print_table, progress_bar
from agent.prepare import DataFolder, prepare_models
from models.registry import ORDER, Kind, ModelMeta, Registry, read_meta

app = typer.Typer(no_args_is_help=True, help="List, activate and roll back model versions.")


def train(
    kind: Annotated[Kind | None, typer.Argument(help="What to train; all five, in order, when left out.")] = None,
    version: Annotated[str | None, typer.Option(help="Name of the new version; the date when left out.")] = None,
    ship_to: Annotated[Path | None, typer.Option(help="Also write the small deltas to this folder.")] = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Train and activate what was trained. About an hour for all five on two cores.

    Example: pricesmith train evaluator --version v2
    """
    from agent.explain.training import train_text
    from agent.training import TrainingPlan  # imported here: torch and its trainers load slowly
    from agent.training import train as run_training
    from models.versions import ship
    from prompts import load_prompt

    settings = settings_for(data_dir)
    registry = Registry(DataFolder(settings.data_dir).models)
    kinds = (kind,) if kind is not None else ORDER
    name = version or f"{datetime.now(UTC):%Y%m%d-%H%M%S}"
    texts = (Kind.UNDERSTANDING, Kind.NARRATOR)
    priced = tuple(one for one in kinds if one not in texts)
    made = []
    with progress_bar(quiet=json) as progress:
        if kind is not None and kind is not Kind.ENCODER:
            prepare_models(DataFolder(settings.data_dir), progress)
        if priced:
            made += run_training(
                registry, TrainingPlan(priced, name), load_prompt("strategist", settings.prompt_version), progress
            )
        made += [train_text(registry, one, name, progress) for one in kinds if one in texts]
    if ship_to is not None:
        for one in kinds:
            ship(registry, one, ship_to)
    _tell(made, json)


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


@app.command("activate")
def activate(kind: Kind, version: str, data_dir: DataDir = None, json: Json = False) -> None:
    """Put a version in use, after its files were checked. Example: pricesmith models activate evaluator v2."""
    registry = Registry(DataFolder(settings_for(data_dir).data_dir).models)
    registry.activate(kind, version)
    _say(kind, version, json)


@app.command("rollback")
def rollback(kind: Kind, data_dir: DataDir = None, json: Json = False) -> None:
    """Go back to the version in use before. Example: pricesmith models rollback evaluator."""
    registry = Registry(DataFolder(settings_for(data_dir).data_dir).models)
    _say(kind, registry.rollback(kind), json)


def _say(kind: Kind, version: str, json: bool) -> None:
    facts = {"kind": kind.value, "active": version}
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
