"""Report of an import: as text for people, or as JSON with all of it."""

from typing import TYPE_CHECKING

import typer

from agent.cli.output import print_facts, print_json, print_table, store_fact
from agent.cli.reading_options import note_facts
from agent.service.ingest.summary import summary_of

if TYPE_CHECKING:
    from agent.service.ingest import ImportReport
    from agent.store import StoreKind


def print_report(report: "ImportReport", store: "StoreKind", *, dry_run: bool = False, json: bool) -> None:
    """Print the kind of the store and counts of all rows, then those that were refused, set aside or merged."""
    if json:
        print_json({**store_fact(store, json=True), **summary_of(report, dry_run=dry_run).model_dump(mode="json")})
        return
    facts: dict[str, object] = {
        **store_fact(store, json=False),
        "kind": report.kind.value,
        **({"dry run": "nothing was stored; so it would be:"} if dry_run else {}),
        **report.counts(),
        **note_facts(report.notes),
    }
    if report.merged_ids:
        facts["ids of several rows"] = ", ".join(report.merged_ids) + (", ..." if report.merged > 1 else "")
    groups, advice = report.suspicions(), report.advice()
    print_facts(facts)
    if report.problems:
        rows = [(one.line, one.column, one.value, one.reason) for one in report.problems]
        title = f"Rows that were not imported (the first {len(rows):,})"
        print_table(title, ("line", "column", "value", "reason"), rows)
    for group in groups:
        rows = [(one.line, one.product_id, one.value, one.expected) for one in group.examples]
        factor = f", {group.factor}" if group.factor else ""
        title = f"Suspicious, not imported: {group.doubt}{factor} ({group.count:,} rows)"
        print_table(title, ("line", "product", "value", "expected"), rows)
    for line in advice:
        typer.echo(line)
