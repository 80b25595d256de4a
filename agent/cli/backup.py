"""`backup` and `restore`."""

from pathlib import Path

import typer

from agent.cli.options import DataDir, Json, settings_for
from agent.cli.output import print_facts, print_json, progress_bar
from agent.domain.clock import SystemClock
from agent.service.auth.quote_tokens import TokenSigner
from agent.service.backup import restore as bring_back
from agent.service.backup import save_backup
from agent.service.ingest.preparation import prepare_indexes
from agent.service.opening import open_store
from agent.store.data_folder import DataFolder
from models.registry.registry import Registry


def backup(target: Path, data_dir: DataDir = None, json: Json = False) -> None:
    """Write store, keys and models trained here into one file, in one consistent state, while the service goes on.

    The file holds secrets and everything known of shoppers. Example: pricesmith backup /safe/pricesmith.tar
    """
    settings = settings_for(data_dir)
    folder = DataFolder(settings.data_dir)
    with open_store(settings) as store, progress_bar(quiet=json) as progress:
        manifest = save_backup(store, folder, target, SystemClock().now(), progress)
    facts = {
        "backup": str(target),
        "bytes": target.stat().st_size,
        "rows": sum(manifest.rows.values()),
        "audit head": f"{manifest.audit_seq}:{manifest.audit_sha256}",
        "models inside": list(manifest.included),
        "models named": [f"{kind}/{version}" for kind, version in manifest.models.items()],
    }
    print_json(facts) if json else print_facts(facts)


def restore(archive: Path, data_dir: DataDir = None, json: Json = False) -> None:
    """Restore a backup into an empty data folder and database, make indexes anew, and walk along the audit log.

    Exit code 1 when the log is not whole. Example: pricesmith restore /safe/pricesmith.tar --data-dir data
    """
    settings = settings_for(data_dir)
    folder = DataFolder(settings.data_dir)
    folder.root.mkdir(parents=True, exist_ok=True)
    with progress_bar(quiet=json) as progress:
        restored = bring_back(archive, settings.database_url or folder.database_url, folder, progress)
        with open_store(settings) as store:
            prepare_indexes(folder, store, Registry(folder.models), progress, settings.threads)
            report = store.audit_report(TokenSigner.load_or_create(folder.signing_key).is_sealed)
    facts = {
        "made at": restored.manifest.made_at.isoformat(),
        "rows": sum(restored.manifest.rows.values()),
        "audit rows": report.rows,
        "audit problems": report.problems,
        "models missing": list(restored.missing),
    }
    print_json(facts) if json else print_facts(facts)
    if not report.whole:
        raise typer.Exit(1)
