"""`audit`: whether the decision log is as it was written."""

from pathlib import Path
from typing import Annotated

import typer

from agent.cli.exit_codes import ExitCode
from agent.cli.options import DataDir, Json, settings_for
from agent.cli.output import print_facts, print_json, progress_bar
from agent.service.auth.quote_tokens import TokenSigner
from agent.service.opening import open_store
from agent.store.chain import Head
from agent.store.data_folder import DataFolder

app = typer.Typer(no_args_is_help=True, help="Verify that the decision log was not altered.")


@app.command("verify")
def verify(
    head: Annotated[
        str | None,
        typer.Option(
            help="Head kept elsewhere, as `pricesmith audit head` printed it (SEQ:SHA256), or a file with it."
        ),
    ] = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Verify every row of the decision log, and its signature.

    Finds each row that was edited, dropped, swapped or inserted, and ends with exit code 1 when there is one. Somebody
    who holds database and signing key can still put an old copy of both in place: keep heads elsewhere and give one
    with --head.

    Example: pricesmith audit verify --head head.txt
    """
    settings = settings_for(data_dir)
    known = None if head is None else _read_head(head)
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
        raise typer.Exit(ExitCode.FAILED)


@app.command("head")
def head(data_dir: DataDir = None, json: Json = False) -> None:
    """Print the head of the log, for keeping elsewhere.

    The head is the number and the hash of the last row.

    Example: pricesmith audit head > head.txt
    """
    with open_store(settings_for(data_dir)) as store:
        last = store.audit_head()
    if json:
        print_json({"seq": last.seq, "link_sha256": last.link_sha256, "seal": last.seal})
    else:
        typer.echo(_text(last))


def _text(head: Head) -> str:
    return f"{head.seq}:{head.link_sha256}"


def _read_head(given: str) -> Head:
    text = Path(given).read_text("utf-8") if Path(given).is_file() else given
    seq, colon, digest = text.strip().partition(":")
    if not colon or not seq.isdigit() or len(digest) != 64:
        raise typer.BadParameter(
            f"{given[:80]!r} is neither a file nor a head; allowed: SEQ:SHA256 as `pricesmith audit head` prints it",
            param_hint="--head",
        )
    return Head(int(seq), digest)
