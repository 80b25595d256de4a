"""`models`: versions, which of them are in use, and since when."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated

import typer

from agent.cli.exit_codes import ExitCode
from agent.cli.options import DataDir, Json, settings_for
from agent.cli.output import print_facts, print_json, print_table, progress_bar
from agent.service.opening import found_store
from agent.store.data_folder import DataFolder
from agent.training.promotion import Activation, Promotions
from models.registry.registry import ORDER, ModelKind, Registry, read_meta
from models.registry.reproduction import Compared, compare, trained_otherwise

_KINDS = ", ".join(ORDER)

Kind = Annotated[ModelKind, typer.Argument(help=f"One of {_KINDS}.")]
Version = Annotated[str, typer.Argument(help="Name of a version, as `pricesmith models list` shows it.")]

app = typer.Typer(no_args_is_help=True, help="List, compare, activate and roll back model versions.")


@app.command("list")
def list_versions(data_dir: DataDir = None, json: Json = False) -> None:
    """List every installed version and its main figures.

    Every file of every version is checked against its SHA-256, which takes some seconds.

    Example: pricesmith models list
    """
    settings = settings_for(data_dir)
    registry = Registry(DataFolder(settings.data_dir).models)
    store = found_store(settings)
    versions = [(kind, version) for kind in ORDER for version in registry.versions(kind)]
    found = []
    with progress_bar(quiet=json) as progress:
        for number, (kind, version) in enumerate(versions, 1):
            meta = read_meta(registry.folder(kind, version))
            found.append(
                {
                    "kind": kind,
                    "version": version,
                    "active": registry.in_use().get(kind) == version,
                    "created": meta.created_at,
                    "trained_on": meta.trained_on,
                    "store": store,
                    "metrics": dict(meta.metrics),
                }
            )
            progress("check files", number / len(versions))
    if json:
        print_json(found)
        return
    print_facts({"store": "none yet" if store is None else store.label})
    rows = [
        (f["kind"], f["version"], "yes" if f["active"] else "", f["created"], f["trained_on"], _short(f["metrics"]))
        for f in found
    ]
    print_table("Model versions", ("kind", "version", "active", "created", "trained on", "metrics"), rows)


@app.command("compare")
def compare_shipped(
    kinds: Annotated[
        list[ModelKind] | None,
        typer.Argument(help=f"Kinds to compare: {_KINDS}. Default: all.", show_default=False),
    ] = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Compare the active versions with the shipped ones.

    Exit code 1 when a validation metric is outside its tolerance, or a setting of the training differs.

    Example: pricesmith models compare
    """
    from models.registry.versions import shipped_meta  # loads torch

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
        columns = ("kind", "metric", "active", "shipped", "tolerance", "within")
        print_table("Active versions beside the shipped ones", columns, rows)
        for line in otherwise:
            print_facts({"trained otherwise": line})
    if otherwise or not all(one.within for one in found):
        raise typer.Exit(ExitCode.FAILED)


@app.command("activate")
def activate(
    kind: Kind,
    version: Version,
    force: Annotated[bool, typer.Option("--force", help="Activate without proof; needs --by and --why.")] = False,
    by: Annotated[str | None, typer.Option(help="With --force: your name, which is recorded.")] = None,
    why: Annotated[str | None, typer.Option(help="With --force: the reason, which is recorded.")] = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Put a version in use; running servers follow within seconds.

    Its files are checked first. A version that sets prices also needs a proof that it earns more than the best price
    for everyone, which `pricesmith eval policy --log store --candidate KIND/VERSION` makes from the decision log.

    Example: pricesmith models activate evaluator v5
    """
    if force and not (by and why):
        raise typer.BadParameter("needs --by NAME and --why REASON, which are recorded", param_hint="--force")
    promotions = Promotions(DataFolder(settings_for(data_dir).data_dir).models)
    _print(promotions.activate(kind, version, forced_by=by if force else None, why=why), json)


@app.command("rollback")
def rollback(kind: Kind, data_dir: DataDir = None, json: Json = False) -> None:
    """Go back to the version that was in use before.

    Example: pricesmith models rollback evaluator
    """
    _print(Promotions(DataFolder(settings_for(data_dir).data_dir).models).rollback(kind), json)


@app.command("history")
def history(data_dir: DataDir = None, json: Json = False) -> None:
    """List every activation: when, on what proof, and who forced it.

    Example: pricesmith models history
    """
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
    gain = one.proof
    return f"gain {gain.gain:+.2f} (95 %: {gain.gain_low:+.2f} to {gain.gain_high:+.2f}) minor units a decision"


def _print(done: Activation, json: bool) -> None:
    facts = {"kind": done.kind.value, "active": done.version}
    print_json(facts) if json else print_facts(facts)


def _short(metrics: object) -> str:
    """The first three metrics in one line."""
    if not isinstance(metrics, Mapping):
        return ""
    return ", ".join(f"{name} {value:.4g}" for name, value in list(metrics.items())[:3])
