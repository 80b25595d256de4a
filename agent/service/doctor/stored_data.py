"""The database and the indexes that follow it. Nothing is made, upgraded or written."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from agent.domain.clock import SystemClock
from agent.service.data_check import Fault, bad_rows
from agent.service.doctor.finding import Finding, Level, of_error
from agent.service.settings import Settings
from agent.state.loading import outcomes_made_with
from agent.store import Store, StoreError
from agent.store.data_folder import DataFolder
from agent.store.engine import open_database
from agent.store.schema_version import found_version, newest_version
from models.registry.registry import ModelKind, Registry
from retrieval import Manifest, SnapshotError
from retrieval.snapshot import open_snapshot

_NAMED: Final = 3


@contextmanager
def existing_store(settings: Settings) -> Iterator[tuple[Finding, Store | None]]:
    """Finding about the database, and the store where its schema is this release's."""
    folder = DataFolder(settings.data_dir)
    if settings.database_url is None and not folder.database.is_file():
        remedy = f"pricesmith init {folder.root}, pricesmith prepare for the demo, or pricesmith restore with a backup"
        yield Finding("database", Level.PROBLEM, f"there is none in {folder.root} yet", remedy), None
        return
    try:
        database = open_database(settings.database_url or folder.database_url)
    except StoreError as error:
        yield _unusable(error), None
        return
    try:
        try:
            with database.read() as connection:
                finding = _schema(found_version(connection), newest_version())
        except StoreError as error:
            finding = _unusable(error)
        usable = finding.level is Level.OK
        yield finding, Store(database, SystemClock()) if usable else None
    finally:
        database.close()


def check_indexes(store: Store, folder: DataFolder, registry: Registry) -> list[Finding]:
    """Whether each index has a snapshot that the active models can read, and how far it is behind the store."""
    in_use = registry.in_use()
    encoder, evaluator = in_use.get(ModelKind.ENCODER), in_use.get(ModelKind.EVALUATOR)
    if encoder is None or evaluator is None:
        return []
    products, outcomes = store.product_count(), store.last_outcome()
    if products == 0:
        remedy = "pricesmith import products FILE, or PUT /v1/products"
        return [Finding("product index", Level.WARNING, "the store holds no products", remedy)]
    made_with = outcomes_made_with(evaluator, store)
    return [
        _index("product index", folder.product_index, encoder, (products, "products"), _products_behind(store)),
        _index("outcome index", folder.outcome_memory, made_with, (outcomes, "outcomes"), _outcomes_behind(store)),
    ]


def check_rows(store: Store, now: datetime) -> Finding:
    """Whether stored events and outcomes are dated in the future, or in another currency than their products."""
    found = [row for row in bad_rows(store, now) if row.fault is not Fault.SUSPICIOUS]
    if not found:
        return Finding("stored rows", Level.OK, "no dates in the future, no foreign currencies")
    named = "; ".join(f"{row.kind} {row.number}: {row.reason}" for row in found[:_NAMED])
    more = f"; and {len(found) - _NAMED:,} more" if len(found) > _NAMED else ""
    remedy = "pricesmith data check lists them, pricesmith data remove --all-bad removes them"
    return Finding("stored rows", Level.WARNING, f"{len(found):,} cannot be true ({named}{more})", remedy)


Behind = Callable[[Manifest], int]
"""How many rows of the store a snapshot lacks or has in an older form."""


def _products_behind(store: Store) -> Behind:
    return lambda manifest: max(
        store.product_count() - manifest.count, store.product_count(since_revision=manifest.watermark)
    )


def _outcomes_behind(store: Store) -> Behind:
    return lambda manifest: store.last_outcome() - (manifest.watermark or manifest.count)


def _index(check: str, folder: Path, made_with: str, stored: tuple[int, str], behind_by: Behind) -> Finding:
    """A finding of one index; `stored` is how much the store holds, and of what."""
    total, what = stored
    remedy = "pricesmith prepare saves a snapshot now; a server makes up for it when it starts"
    try:
        manifest = open_snapshot(folder, made_with).manifest
    except SnapshotError as error:
        if total == 0:
            return Finding(check, Level.OK, f"no {what} yet")
        return Finding(check, Level.WARNING, str(error).partition("; remedy: ")[0], remedy)
    behind = behind_by(manifest)
    if behind > 0:
        return Finding(check, Level.WARNING, f"{behind:,} of {total:,} {what} are not in the snapshot", remedy)
    return Finding(check, Level.OK, f"{manifest.count:,} {what}, none missing")


def _schema(found: str | None, newest: str) -> Finding:
    if found == newest:
        return Finding("database", Level.OK, f"answers, schema {found}")
    if found is None:
        return Finding("database", Level.PROBLEM, "answers, but is empty", "pricesmith prepare")
    if found > newest:
        return Finding(
            "database",
            Level.PROBLEM,
            f"has schema {found}, this release knows {newest}: a newer Pricesmith wrote it",
            "use the newer release, or restore a backup that this one made",
        )
    return Finding(
        "database",
        Level.WARNING,
        f"has schema {found}, this release uses {newest}",
        "make a backup with the older release; the next start upgrades the schema",
    )


def _unusable(error: Exception) -> Finding:
    found = of_error("database", error)
    return (
        found
        if found.remedy
        else Finding("database", Level.PROBLEM, found.detail, "restore a backup: pricesmith restore")
    )
