"""`rules`: the merchant's hand on the wheel: versions of the rules, and the switch that holds all prices.

Whoever has the command line decides as "command line"; with `--key` as that API key, so that a second key can approve.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from agent.api.responses.rule_versions import (
    preview_answer,
    rules_answer,
    version_answer,
    versions_answer,
    window_answer,
)
from agent.cli.options import DataDir, Json, home_settings, settings_for
from agent.cli.output import print_facts, print_json, print_table
from agent.domain.clock import SystemClock
from agent.rules import RuleBook, RulesDocument
from agent.rules.book import Change
from agent.rules.kill_switch import KillSwitch
from agent.rules.packs import load_pack
from agent.service.assembly import open_service, open_store, settings_rules
from agent.service.auth.api_keys import KeyRing, Scope
from agent.service.auth.quote_tokens import TokenSigner
from agent.store.data_folder import DataFolder

BY = "command line"
Note = Annotated[str, typer.Option(help="Why; kept with the change.")]
Key = Annotated[str | None, typer.Option("--key", help="Decide as this API key.", envvar="PRICESMITH_KEY")]
Number = Annotated[int, typer.Argument(min=1, help="Number of a version.")]

app = typer.Typer(no_args_is_help=True, help="Versions of the rules, and holding all prices.")


@app.command("show")
def show(data_dir: DataDir = None) -> None:
    """The rules in effect and what is scheduled, as JSON. Example: pricesmith rules show."""
    with _opened(data_dir) as book:
        print_json(rules_answer(book, SystemClock().now()).model_dump(mode="json", exclude_none=True))


@app.command("list")
def list_versions(data_dir: DataDir = None, json: Json = False) -> None:
    """Every version and activation. Example: pricesmith rules list."""
    with _opened(data_dir) as book:
        found = versions_answer(book, SystemClock().now())
    if json:
        print_json(found.model_dump(mode="json", exclude_none=True))
        return
    rows = [(v.version, v.at, v.by, ", ".join(v.approved_by), "; ".join(v.loosens), v.note) for v in found.versions]
    print_table("Versions", ("version", "proposed", "by", "approved by", "loosens now", "note"), rows)
    times = [(w.version, w.active_from, w.active_until, w.by, w.ended) for w in found.activations]
    print_table("Activations", ("version", "from", "until", "by", "rolled back"), times)


@app.command("propose")
def propose(file: Path, note: Note = "", key: Key = None, data_dir: DataDir = None, json: Json = False) -> None:
    """Keep a new version from a JSON file; it is not in effect yet. Example: pricesmith rules propose rules.json."""
    document = RulesDocument.model_validate_json(file.read_text("utf-8"))
    with _opened(data_dir) as book:
        change = _change(data_dir, key, note)
        told = version_answer(book, book.propose(document, change), change.at)
    _tell({"version": told.version, "loosens": told.loosens}, json)


@app.command("preview")
def preview(version: Number, data_dir: DataDir = None, json: Json = False) -> None:
    """What the last day's quotes would be under a version. Example: pricesmith rules preview 3."""
    settings = settings_for(data_dir)
    service = open_service(settings, open_store(settings))
    try:
        found = service.preview_rules(version)
    finally:
        service.close()
    if json:
        print_json(preview_answer(found).model_dump(mode="json"))
        return
    facts: dict[str, object] = {
        name: value for name, value in asdict(found).items() if name not in ("largest", "profit")
    }
    for one in found.profit:
        facts[f"profit {one.currency}"] = (
            f"{one.before:.0f} -> {one.after:.0f} minor units expected of {one.quotes} quotes; "
            f"{one.mean_difference:+.2f} a quote ({one.low:+.2f} to {one.high:+.2f})"
        )
    print_facts(facts)
    rows = [(c.quote_id, c.product_id, c.before_minor, c.after_minor, f"{c.change_frac:+.1%}") for c in found.largest]
    print_table("Largest changes", ("quote", "product", "before", "after", "of the reference"), rows)


@app.command("approve")
def approve(version: Number, note: Note = "", key: Key = None, data_dir: DataDir = None, json: Json = False) -> None:
    """Say yes to a version that another key proposed. Example: pricesmith rules approve 3 --key ps_..."""
    with _opened(data_dir) as book:
        done = book.approve(version, _change(data_dir, key, note))
    _tell({"version": done.number, "approved by": list(done.approved_by)}, json)


@app.command("activate")
def activate(
    version: Number,
    start: Annotated[datetime | None, typer.Option("--from", help="UTC; now when left out.")] = None,
    end: Annotated[datetime | None, typer.Option("--until", help="UTC; for good when left out.")] = None,
    note: Note = "",
    key: Key = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Put a version in effect; running servers follow. Example: pricesmith rules activate 3 --until 2026-12-01."""
    with _opened(data_dir) as book:
        made = book.activate(version, _change(data_dir, key, note), start=_utc(start), end=_utc(end))
    _tell(window_answer(made).model_dump(mode="json", exclude_none=True), json)


@app.command("rollback")
def rollback(
    version: Annotated[int | None, typer.Option(help="Of this version; what is in effect when left out.")] = None,
    note: Note = "",
    key: Key = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Take the activation in effect back. Example: pricesmith rules rollback --note "margins fell"."""
    with _opened(data_dir) as book:
        change = _change(data_dir, key, note)
        ended = book.rollback(change, version)
        facts = {"rolled back": ended.version, "in effect": book.current(change.at).version}
    _tell(facts, json)


@app.command("hold")
def hold(
    reason: Annotated[str, typer.Option(help="Shown in each quote's trail.")] = "held by the merchant",
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Every quote is the reference price from now on, running servers included. Example: pricesmith rules hold."""
    with open_store(settings_for(data_dir)) as store:
        made = KillSwitch(store).hold(BY, reason, SystemClock().now())
    _tell({"held": True, "since": made.since, "reason": made.reason}, json)


@app.command("release")
def release(data_dir: DataDir = None, json: Json = False) -> None:
    """Prices may be personalised again. Example: pricesmith rules release."""
    with open_store(settings_for(data_dir)) as store:
        KillSwitch(store).release()
    _tell({"held": False}, json)


@contextmanager
def _opened(data_dir: Path | None) -> Iterator[RuleBook]:
    """The rules of a store, sealed changes included."""
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
        raise typer.BadParameter("the key is another merchant's, unknown or ended, or lacks the scope 'merchant'")
    return Change(known.key_id, now, note)


def _utc(at: datetime | None) -> datetime | None:
    return at if at is None or at.tzinfo is not None else at.replace(tzinfo=UTC)


def _tell(facts: Mapping[str, object], json: bool) -> None:
    print_json(facts) if json else print_facts(facts)
