"""`data`: stored events and outcomes that today's checks would refuse, listed and removed."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Final

import typer

from agent.cli.exit_codes import ExitCode
from agent.cli.options import DataDir, Json, settings_for
from agent.cli.output import print_facts, print_json, print_table, store_fact
from agent.domain.clock import SystemClock
from agent.service.opening import open_store

if TYPE_CHECKING:
    from agent.service.data_check import BadRow

_SHOWN: Final = 1_000
_RUNNING: Final = "A running server follows, but retrieves removed outcomes as evidence until it is restarted."

app = typer.Typer(no_args_is_help=True, help="List and remove stored events and outcomes that are wrong.")


@app.command("check")
def check(data_dir: DataDir = None, json: Json = False) -> None:
    """List stored rows that an import would refuse or set aside.

    That is: dated more than a day ahead, priced in another currency than their product, or probably wrong, such as
    prices in cents beside dollars. Rows that were imported with --accept-suspicious are among the last. Nothing is
    changed. Exit code 1 when there are any.

    Example: pricesmith data check
    """
    from agent.service.data_check import bad_rows  # loads the store's models

    with open_store(settings_for(data_dir)) as store:
        found, kind = list(bad_rows(store, SystemClock().now())), store.kind()
    if json:
        print_json({**store_fact(kind, json=True), "bad": len(found), "rows": [asdict(row) for row in found]})
    elif not found:
        typer.echo(f"{kind.label}: all stored events and outcomes are well")
    else:
        print_facts(store_fact(kind, json=False))
        _print(found)
        typer.echo(
            "remedy: pricesmith data remove --events N,N --outcomes N,N removes rows by number, "
            "pricesmith data remove --all-bad all of them"
        )
    if found:
        raise typer.Exit(ExitCode.FAILED)


@app.command("remove")
def remove(
    events: Annotated[
        str | None, typer.Option(help="Numbers of events, as `pricesmith data check` lists them: 12,15.")
    ] = None,
    outcomes: Annotated[str | None, typer.Option(help="Numbers of imported outcomes: 3,4.")] = None,
    all_bad: Annotated[bool, typer.Option("--all-bad", help="Remove every row that `data check` lists.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Remove stored events and imported outcomes, for ever.

    The sale that an outcome implied goes with it, and weekly facts are corrected. The next start builds the index of
    outcomes again, as if the rows had never been there. Outcomes of quotes stay, as the audit log commits to them;
    training leaves those out that are wrong. A running server follows, but for its index of outcomes: restart it.

    Example: pricesmith data remove --events 12,15
    """
    from agent.service.data_check import RowKind, bad_rows, removable_numbers  # loads the store's models

    if all_bad == bool(events or outcomes):
        raise typer.BadParameter("give numbers with --events and --outcomes, or --all-bad", param_hint="--all-bad")
    with open_store(settings_for(data_dir)) as store:
        if all_bad:
            found = list(bad_rows(store, SystemClock().now()))
            numbers = removable_numbers(found, RowKind.EVENT), removable_numbers(found, RowKind.OUTCOME)
        else:
            numbers = _numbers(events, "--events"), _numbers(outcomes, "--outcomes")
            unknown = [*(set(numbers[0]) - set(store.numbered_events(numbers[0])))]
            unknown += set(numbers[1]) - set(store.numbered_outcomes(numbers[1]))
            if unknown:
                raise typer.BadParameter(
                    f"no stored row has the number {', '.join(map(str, sorted(unknown)))}; remedy: pricesmith data "
                    "check lists numbers"
                )
        if not yes and any(numbers):
            asked = f"Remove {len(numbers[0]):,} events and {len(numbers[1]):,} outcomes? This cannot be undone"
            typer.confirm(asked, abort=True)
        removed = store.remove_rows(*numbers)
    kept = len(numbers[1]) - removed.outcomes
    facts: dict[str, object] = {**asdict(removed), "outcomes of quotes, kept": kept}
    if json:
        print_json(facts)
        return
    print_facts(facts)
    if removed.events or removed.outcomes:
        typer.echo(_RUNNING)


def _numbers(text: str | None, option: str) -> list[int]:
    parts = [part.strip() for part in (text or "").split(",") if part.strip()]
    bad = next((part for part in parts if not (part.isascii() and part.isdigit())), None)
    if bad is not None:
        raise typer.BadParameter(f"{bad[:40]!r} is no number; allowed: numbers such as 12,15", param_hint=option)
    return list(dict.fromkeys(map(int, parts)))


def _print(found: "list[BadRow]") -> None:
    rows = [
        (
            row.kind,
            row.number,
            row.shopper_id,
            row.product_id,
            row.at,
            row.reason,
            "" if row.removable else "of a quote",
        )
        for row in found[:_SHOWN]
    ]
    title = f"{len(found):,} bad rows" + (f" (the first {_SHOWN:,})" if len(found) > _SHOWN else "")
    print_table(title, ("kind", "number", "shopper", "product", "at", "reason", "kept"), rows)
