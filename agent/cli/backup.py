"""`backup` and `restore`: database, keys and own models in one file, and back."""

from pathlib import Path
from typing import Annotated

import typer

from agent.cli.exit_codes import ExitCode
from agent.cli.options import DataDir, Json, settings_for
from agent.cli.output import print_facts, print_json, progress_bar, store_fact
from agent.domain.clock import SystemClock
from agent.service.auth.quote_tokens import TokenSigner
from agent.service.opening import open_store
from agent.store.data_folder import DataFolder
from models.registry.registry import Registry


def backup(
    target: Annotated[Path, typer.Argument(help="File to write; it must not exist yet.")],
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Save database, keys and own models in one file.

    The file holds one consistent state, while a server goes on. It also holds the signing key and everything stored
    about shoppers: keep it where only its owner can read.

    Example: pricesmith backup /safe/pricesmith.tar
    """
    from agent.service.backup import save_backup  # models' libraries load slowly: not for help and completion

    settings = settings_for(data_dir)
    folder = DataFolder(settings.data_dir)
    with open_store(settings) as store, progress_bar(quiet=json) as progress:
        manifest, kind = save_backup(store, folder, target, SystemClock().now(), progress), store.kind()
    facts = {
        **store_fact(kind, json=json),
        "backup": str(target),
        "bytes": target.stat().st_size,
        "rows": sum(manifest.rows.values()),
        "audit head": f"{manifest.audit_seq}:{manifest.audit_sha256}",
        "models inside": list(manifest.included),
        "models named": [f"{kind}/{version}" for kind, version in manifest.models.items()],
    }
    print_json(facts) if json else print_facts(facts)


def restore(
    archive: Annotated[Path, typer.Argument(help="File that `pricesmith backup` wrote.")],
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Restore a backup into an empty data folder.

    The database must be empty too; SQLite and PostgreSQL both take any backup. Indexes are built anew, and the decision
    log is verified: exit code 1 when it was altered.

    Example: pricesmith restore /safe/pricesmith.tar --data-dir data
    """
    from agent.service.backup import restore as restore_archive  # models' libraries load slowly
    from agent.service.ingest.preparation import prepare_indexes

    settings = settings_for(data_dir)
    folder = DataFolder(settings.data_dir)
    folder.root.mkdir(parents=True, exist_ok=True)
    with progress_bar(quiet=json) as progress:
        restored = restore_archive(archive, settings.database_url or folder.database_url, folder, progress)
        with open_store(settings) as store:
            prepare_indexes(folder, store, Registry(folder.models), progress, settings.threads)
            report, kind = store.audit_report(TokenSigner.load_or_create(folder.signing_key).is_sealed), store.kind()
    facts = {
        **store_fact(kind, json=json),
        "made at": restored.manifest.made_at.isoformat(),
        "rows": sum(restored.manifest.rows.values()),
        "audit rows": report.rows,
        "audit problems": report.problems,
        "models missing": list(restored.missing),
    }
    print_json(facts) if json else print_facts(facts)
    if not report.whole:
        raise typer.Exit(ExitCode.FAILED)
