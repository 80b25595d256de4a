"""`rules`: the merchant's limits in versions, and the switch that holds all prices.

Changes are made by "command line", or with `--key` by that API key, so that a second key can approve.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from agent.api.responses.rule_versions import (
    preview_answer,
    rules_answer,
    version_answer,
    versions_answer,
    window_answer,
)
from agent.cli.laws import laws
from agent.cli.opening import running_service
from agent.cli.options import DataDir, Json, home_settings, settings_for
from agent.cli.output import print_facts, print_json, print_table, progress_bar
from agent.domain.clock import SystemClock
from agent.rules.book import Change, RuleBook
from agent.rules.document import RulesDocument
from agent.rules.kill_switch import KillSwitch
from agent.rules.packs import load_pack
from agent.service.auth.api_keys import KeyRing, Scope
from agent.service.auth.quote_tokens import TokenSigner
from agent.service.opening import open_store
from agent.service.settings_rules import settings_rules
from agent.store.data_folder import DataFolder

if TYPE_CHECKING:
    from agent.rules.preview import Preview

BY: Final = "command line"

Note = Annotated[str, typer.Option(help="Reason, stored with the change.")]
Key = Annotated[
    str | None, typer.Option("--key", help="API key in whose name the change is made.", envvar="PRICESMITH_KEY")
]
Number = Annotated[int, typer.Argument(min=1, help="Number of a version, as `pricesmith rules list` shows it.")]

app = typer.Typer(no_args_is_help=True, help="Set limits in versions, and hold all prices.")
app.command("laws")(laws)


@app.command("show")
def show(
    data_dir: DataDir = None,
    json: Annotated[bool, typer.Option("--json", help="No effect: rules are always printed as JSON.")] = False,
) -> None:
    """Show the rules in effect and the scheduled ones, as JSON.

    Example: pricesmith rules show
    """
    with _opened(data_dir) as book:
        print_json(rules_answer(book, SystemClock().now()).model_dump(mode="json", exclude_none=True))


@app.command("list")
def list_versions(data_dir: DataDir = None, json: Json = False) -> None:
    """List every version and every activation.

    Example: pricesmith rules list
    """
    with _opened(data_dir) as book:
        found = versions_answer(book, SystemClock().now())
    if json:
        print_json(found.model_dump(mode="json", exclude_none=True))
        return
    rows = [(v.version, v.at, v.by, ", ".join(v.approved_by), "; ".join(v.loosens), v.note) for v in found.versions]
    columns = ("version", "proposed", "by", "approved by", "looser than the rules in effect", "note")
    print_table("Versions", columns, rows)
    times = [(w.version, w.active_from, w.active_until, w.by, w.ended) for w in found.activations]
    print_table("Activations", ("version", "from", "until", "by", "rolled back"), times)


@app.command("propose")
def propose(
    file: Annotated[Path, typer.Argument(help="JSON file with the rules, as `rules show` prints them under 'rules'.")],
    note: Note = "",
    key: Key = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Store a new version; it has no effect until it is activated.

    Example: pricesmith rules propose rules.json --note "autumn margins"
    """
    document = RulesDocument.model_validate_json(file.read_text("utf-8"))
    with _opened(data_dir) as book:
        change = _change(data_dir, key, note)
        made = version_answer(book, book.propose(document, change), change.at)
    _print({"version": made.version, "loosens": made.loosens}, json)


@app.command("preview")
def preview(version: Number, data_dir: DataDir = None, json: Json = False) -> None:
    """Compare the last day's quotes with those of a version.

    They are priced again by the same models under both rules, and nothing is recorded. Loads the models first, which
    takes several seconds.

    Example: pricesmith rules preview 3
    """
    with running_service(settings_for(data_dir), quiet=json) as service, progress_bar(quiet=json) as progress:
        progress("price quotes again", 0.0)
        found = service.preview_rules(version)
        progress("price quotes again", 1.0)
    if json:
        print_json(preview_answer(found).model_dump(mode="json"))
    else:
        _print_preview(found)


@app.command("approve")
def approve(version: Number, note: Note = "", key: Key = None, data_dir: DataDir = None, json: Json = False) -> None:
    """Approve a version that another key proposed.

    A version that loosens a limit needs this before it can be activated.

    Example: pricesmith rules approve 3 --key ps_...
    """
    with _opened(data_dir) as book:
        done = book.approve(version, _change(data_dir, key, note))
    _print({"version": done.number, "approved by": list(done.approved_by)}, json)


@app.command("activate")
def activate(
    version: Number,
    start: Annotated[
        datetime | None, typer.Option("--from", help="Begin, UTC. Default: now.", show_default=False)
    ] = None,
    end: Annotated[
        datetime | None, typer.Option("--until", help="End, UTC. Default: for good.", show_default=False)
    ] = None,
    note: Note = "",
    key: Key = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Put a version in effect, now or at a time.

    Running servers follow within half a second.

    Example: pricesmith rules activate 3 --until 2026-12-01
    """
    with _opened(data_dir) as book:
        made = book.activate(version, _change(data_dir, key, note), start=_utc(start), end=_utc(end))
    _print(window_answer(made).model_dump(mode="json", exclude_none=True), json)


@app.command("rollback")
def rollback(
    version: Annotated[
        int | None,
        typer.Option(help="Version whose activation ends. Default: the one in effect.", show_default=False),
    ] = None,
    note: Note = "",
    key: Key = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """End the activation in effect; the rules before it hold again.

    Example: pricesmith rules rollback --note "margins fell"
    """
    with _opened(data_dir) as book:
        change = _change(data_dir, key, note)
        ended = book.rollback(change, version)
        facts = {"rolled back": ended.version, "in effect": book.current(change.at).version}
    _print(facts, json)


@app.command("hold")
def hold(
    reason: Annotated[str, typer.Option(help="Reason, shown in the trail of each quote.")] = "held by the merchant",
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Hold all prices at the reference price.

    Every quote is the reference price until `pricesmith rules release`. Running servers follow within half a second.

    Example: pricesmith rules hold --reason "checking a complaint"
    """
    with open_store(settings_for(data_dir)) as store:
        made = KillSwitch(store).hold(BY, reason, SystemClock().now())
    _print({"held": True, "since": made.since, "reason": made.reason}, json)


@app.command("release")
def release(data_dir: DataDir = None, json: Json = False) -> None:
    """End the hold: prices may be personalised again.

    Example: pricesmith rules release
    """
    with open_store(settings_for(data_dir)) as store:
        KillSwitch(store).release()
    _print({"held": False}, json)


@contextmanager
def _opened(data_dir: Path | None) -> Iterator[RuleBook]:
    """The rules of a store, changes to which are signed."""
    settings = settings_for(data_dir)
    with open_store(settings) as store:
        store.seal_with(TokenSigner.load_or_create(DataFolder(settings.data_dir).signing_key).seal)
        yield RuleBook(store, settings_rules(settings, load_pack(settings.pack)))


def _change(data_dir: Path | None, key: str | None, note: str) -> Change:
    now = SystemClock().now()
    if key is None:
        return Change(BY, now, note)
    settings = home_settings(data_dir)
    with open_store(settings) as home:
        known = KeyRing(home, SystemClock()).verify(key)
    if known is None or not known.allows(Scope.MERCHANT) or known.merchant != settings.merchant:
        raise typer.BadParameter(
            "this key may not change rules: it is unknown, revoked or expired, belongs to another merchant, or lacks "
            "the scope 'merchant'; remedy: pricesmith keys create NAME --scope merchant",
            param_hint="--key",
        )
    return Change(known.key_id, now, note)


def _utc(at: datetime | None) -> datetime | None:
    return at if at is None or at.tzinfo is not None else at.replace(tzinfo=UTC)


def _print(facts: Mapping[str, object], json: bool) -> None:
    print_json(facts) if json else print_facts(facts)


def _print_preview(found: "Preview") -> None:
    facts: dict[str, object] = {
        name: value for name, value in asdict(found).items() if name not in ("largest", "profit")
    }
    for one in found.profit:
        facts[f"profit {one.currency}"] = (
            f"{one.before:.0f} -> {one.after:.0f} minor units expected of {one.quotes} quotes; "
            f"{one.mean_difference:+.2f} a quote (95 %: {one.low:+.2f} to {one.high:+.2f})"
        )
    print_facts(facts)
    rows = [(c.quote_id, c.product_id, c.before_minor, c.after_minor, f"{c.change_frac:+.1%}") for c in found.largest]
    columns = ("quote", "product", "before (minor units)", "after (minor units)", "share of the reference price")
    print_table("Largest changes", columns, rows)
