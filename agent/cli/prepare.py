"""`prepare`: everything that a data folder needs before the first quote."""

from time import perf_counter
from typing import Annotated

import typer

from agent.cli.opening import running_service
from agent.cli.options import DataDir, Json, settings_for
from agent.cli.output import print_facts, print_json, progress_bar, store_fact
from agent.domain.clock import SystemClock
from agent.service.opening import open_store
from agent.service.process_tuning import tune_for_batches
from agent.store import StoreKind
from agent.store.data_folder import DataFolder


def prepare(
    data_dir: DataDir = None,
    models_only: Annotated[bool, typer.Option(help="Install models only: no demo store, no indexes.")] = False,
    demo: Annotated[
        bool | None,
        typer.Option(
            help="Load the demo store, or leave it out. Default: load it, unless the store is a shop's own.",
            show_default=False,
        ),
    ] = None,
    households: Annotated[
        int | None, typer.Option(help="Load only the N busiest demo households; all when left out.", min=1)
    ] = None,
    json: Json = False,
) -> None:
    """Install models, load the demo store, build indexes and shoppers' memory.

    Takes some minutes the first time. It may be interrupted and repeated: finished work is kept. Models of an earlier
    release and damaged ones are replaced by those that came with Pricesmith.

    A store with data of your own gets no demo data; `pricesmith init` makes a shop of your own.

    Example: pricesmith prepare --data-dir ./demo
    """
    from agent.service.ingest.demo_store import DemoSize  # models' libraries load slowly: not for help and completion
    from agent.service.ingest.preparation import prepare_demo, prepare_indexes, prepare_models
    from agent.service.ingest.store_choice import check_takes_demo, mark_as_own
    from models.registry.base_weights import BASE_WEIGHTS, DEMO_DATA, check_packages

    settings = settings_for(data_dir)
    folder, clock = DataFolder(settings.data_dir), SystemClock()
    start = perf_counter()
    with progress_bar(quiet=json) as progress:
        if demo and not models_only:
            with open_store(settings) as store:
                check_takes_demo(store)
        if not models_only and not folder.models.is_dir():
            check_packages([*BASE_WEIGHTS, *([] if demo is False else DEMO_DATA)])
        registry = prepare_models(folder, progress, settings.built_models_dir)
        products, kind, filled = 0, None, False
        if not models_only:
            with open_store(settings) as store:
                if demo is False and store.kind() is StoreKind.OWN:
                    mark_as_own(store, clock)
                if demo or (demo is None and not store.in_own_use()):
                    size = DemoSize() if households is None else DemoSize.small(households)
                    prepare_demo(store, clock, size, progress)
                prepare_indexes(folder, store, registry, progress, settings.threads)
                products, kind = store.product_count(), store.kind()
                filled = next(iter(store.shopper_ids()), None) is not None
    if filled:
        with running_service(settings, quiet=json, proposes=False) as service, progress_bar(quiet=json) as progress:
            tune_for_batches()
            service.fill_shoppers(progress)
    facts = {
        "data folder": str(folder.root),
        **(store_fact(kind, json=json) if kind is not None else {}),
        "products": products,
        "seconds": round(perf_counter() - start, 1),
    }
    print_json(facts) if json else print_facts(facts)
