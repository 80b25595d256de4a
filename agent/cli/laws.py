"""The command that shows which rules of law hold where, since when, and from which sources."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Final

import typer

from agent.cli.options import Json
from agent.cli.output import print_facts, print_json, print_table
from agent.domain.clock import SystemClock
from agent.rules.packs import Citation, Jurisdiction, jurisdictions, law_of, law_versions, legal_day

_NO_ADVICE: Final = "No legal advice."
_UNRECORDED: Final = "not recorded"

Place = Annotated[
    str | None, typer.Argument(help="Code or name of a place, as `context.jurisdiction` takes it; all when left out.")
]
On = Annotated[
    datetime | None,
    typer.Option("--on", formats=["%Y-%m-%d"], help="Day whose rules are shown. Default: today.", show_default=False),
]


def laws(place: Place = None, on: On = None, json: Json = False) -> None:
    """Show the rules of law that hold, with their sources.

    Without a place: one line for each, and the versions that are still to come. With one: everything that its rules
    say, how each source was read, and its other versions.

    Example: pricesmith rules laws Connecticut --on 2026-09-30
    """
    now = SystemClock().now()
    day = (on or now).date()
    if place is not None:
        _show_place(place, legal_day(place, now) if on is None else day, json=json)
        return
    held = jurisdictions(day)
    coming = [law for law in law_versions() if law.in_force > day]
    if json:
        found = {"on": day, "in_force": [_facts(law) for law in held], "coming": [_facts(law) for law in coming]}
        print_json(found)
        return
    columns = ("place", "rules", "since", "notice with", "personal prices", "prior price", "left out", "sources read")
    print_table(f"Rules of law on {day} (UTC). {_NO_ADVICE}", columns, [_row(law) for law in held])
    if coming:
        rows = [(law.label, law.name, law.in_force, law.status.value) for law in coming]
        print_table("Still to come", ("place", "rules", "from", "standing"), rows)


def _show_place(place: str, day: date, *, json: bool) -> None:
    law = law_of(place, day)
    others = [one for one in law_versions(place if law_versions(place) else law.code) if one != law]
    if json:
        print_json({"on": day, "place": place, **_facts(law), "other_versions": [_facts(one) for one in others]})
        return
    facts: dict[str, object] = {
        "place": law.label,
        "rules": f"{law.name} on {day}",
        "since": law.in_force,
        "until": law.until or "",
        "standing": law.status.value,
        "notice with": _notice_with(law),
        "notice": law.notice,
        "notice, raised": law.notice_raised or "",
        "placement": law.placement or "",
        "option": law.option,
        "personal prices": _personal_prices(law),
        "prior price": _prior(law),
        "strangers": "nobody pays more than one" if law.parity else "",
        "competitors": "only public ones with their source" if law.competitor_record else "",
        "left out": ", ".join(law.blocks),
    }
    print_facts({name: value for name, value in facts.items() if value != ""})
    for source in law.sources:
        typer.echo()
        print_facts({"source": f"{source.law}, {source.article}", "says": source.says, "read": _read(source)})
    _print_lines("Notes", law.notes)
    _print_lines("The page must", [f"{one.do} ({one.source})" for one in law.duties])
    typer.echo()
    if others:
        print_table("Other versions", ("rules", "from", "until"), [(o.name, o.in_force, o.until) for o in others])
    typer.echo(_NO_ADVICE)


def _print_lines(title: str, lines: Sequence[str]) -> None:
    if lines:
        typer.echo("\n".join(("", title, *(f"- {line}" for line in lines))))


def _facts(law: Jurisdiction) -> Mapping[str, object]:
    return {"name": law.name, **law.model_dump(mode="json")}


def _row(law: Jurisdiction) -> tuple[object, ...]:
    read = sorted({_UNRECORDED if one.read is None else one.read.value for one in law.sources})
    return (
        law.label,
        law.name,
        law.in_force,
        _notice_with(law),
        _personal_prices(law),
        _prior(law),
        ", ".join(law.blocks),
        ", ".join(read),
    )


def _notice_with(law: Jurisdiction) -> str:
    return f"{law.notice_when.value} prices"


def _personal_prices(law: Jurisdiction) -> str:
    rules = (
        ("none", law.no_personal_prices),
        ("only down", law.discount_only),
        ("up only with consent", law.raise_with_consent),
    )
    found = [rule if words == ("*",) else f"{rule}: {len(words)} words of categories" for rule, words in rules if words]
    return "; ".join(found) or "as the merchant allows"


def _prior(law: Jurisdiction) -> str:
    return "no rule" if law.prior_price_days is None else f"lowest of {law.prior_price_days} days"


def _read(source: Citation) -> str:
    read = _UNRECORDED if source.read is None else source.read.value
    return f"{read}: {source.seen}" if source.seen else read
