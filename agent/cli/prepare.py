"""`prepare`: everything that a data folder needs before the first quote."""

from time import perf_counter
from typing import Annotated

import typer

from agent.cli.options import DataDir, Json, settings_for
from agent.cli.output import print_facts, print_json, progress_bar
from agent.domain.clock import SystemClock
from agent.service.opening import open_store
from agent.store.data_folder import DataFolder


def prepare(
    data_dir: DataDir = None,
    models_only: Annotated[bool, typer.Option(help="Install models only: no demo store, no indexes.")] = False,
    demo: Annotated[
        bool, typer.Option(help="Load the demo store; --no-demo leaves the store to your own products.")
    ] = True,
    households: Annotated[
        int | None, typer.Option(help="Load only the N busiest demo households; all when left out.", min=1)
    ] = None,
    json: Json = False,
) -> None:
    """Install models, load the demo store, build indexes.

    Takes some minutes the first time. It may be interrupted and repeated: finished work is kept.

    For a shop of your own give --no-demo, and import products afterwards.

    Example: pricesmith prepare --data-dir ./data
    """
    from agent.service.ingest.demo_store import DemoSize  # models' libraries load slowly: not for help and completion
    from agent.service.ingest.preparation import prepare_demo, prepare_indexes, prepare_models

    settings = settings_for(data_dir)
    folder, clock = DataFolder(settings.data_dir), SystemClock()
    start = perf_counter()
    with progress_bar(quiet=json) as progress:
        registry = prepare_models(folder, progress)
        products = 0
        if not models_only:
            with open_store(settings) as store:
                if demo:
                    size = DemoSize() if households is None else DemoSize.small(households)
                    prepare_demo(store, clock, size, progress)
                prepare_indexes(folder, store, registry, progress, settings.threads)
                products = store.product_count()
    facts = {"data folder": str(folder.root), "products": products, "seconds": round(perf_counter() - start, 1)}
    print_json(facts) if json else print_facts(facts)
