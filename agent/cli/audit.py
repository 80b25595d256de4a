"""`audit`: whether the decision log is what was written."""

from pathlib import Path
from typing import Annotated

import typer

from agent.cli.options import DataDir, Json, settings_for
from agent.cli.output import print_facts, print_json, progress_bar
from agent.service.auth.quote_tokens import TokenSigner
from agent.service.opening import open_store
from agent.store.chain import Head
from agent.store.data_folder import DataFolder

app = typer.Typer(no_args_is_help=True, help="Check the decision log, and print its head for keeping elsewhere.")


@app.command("verify")
def verify(
    head: Annotated[
        str | None, typer.Option(help="A head kept elsewhere, as `audit head` printed it, or a file with it.")
    ] = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Walk along the log: every edit, drop, swap or insertion is found, and exit code 1 says so.

    The head is signed with the service's key. Who holds database and key can still restore an old copy of both: keep
    heads elsewhere, and check against them. Example: pricesmith audit verify --head head.txt
    """
    settings = settings_for(data_dir)
    known = None if head is None else _read(head)
    signer = TokenSigner.load_or_create(DataFolder(settings.data_dir).signing_key)
    with open_store(settings) as store, progress_bar(quiet=json) as progress:
        total = max(1, store.audit_count())
        report = store.audit_report(
            signer.is_sealed, known_head=known, on_rows=lambda rows: progress("audit", rows / total)
        )
    facts = {
        "rows": report.rows,
        "erased": report.erased,
        "sealed": report.sealed,
        "head": _text(report.head),
        "problems": report.problems,
    }
    if json:
        print_json(facts)
    else:
        print_facts({**facts, "problems": len(report.problems)})
        for problem in report.problems:
            typer.echo(f"- {problem}")
    if not report.whole:
        raise typer.Exit(1)


@app.command("head")
def head(data_dir: DataDir = None, json: Json = False) -> None:
    """The log's last row in one line, for keeping elsewhere. Example: pricesmith audit head > head.txt."""
    with open_store(settings_for(data_dir)) as store:
        last = store.audit_head()
    print_json({"seq": last.seq, "link_sha256": last.link_sha256, "seal": last.seal}) if json else typer.echo(
        _text(last)
    )


def _text(head: Head) -> str:
    return f"{head.seq}:{head.link_sha256}"


def _read(given: str) -> Head:
    text = Path(given).read_text("utf-8") if Path(given).is_file() else given
    seq, colon, digest = text.strip().partition(":")
    if not colon or not seq.isdigit() or len(digest) != 64:
        raise typer.BadParameter(f"{given[:80]!r} is no head; allowed: SEQ:SHA256 as `pricesmith audit head` prints it")
    return Head(int(seq), digest)
