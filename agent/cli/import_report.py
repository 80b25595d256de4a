"""Report of an import: as text for people, or as JSON with all of it."""

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from agent.cli.output import print_facts, print_json, print_table, store_fact
from agent.cli.reading_options import note_facts

if TYPE_CHECKING:
    from agent.service.ingest import ImportReport
    from agent.store import StoreKind


def print_report(report: "ImportReport", store: "StoreKind", *, json: bool) -> None:
    """Print the kind of the store and counts of all rows, then those that were refused, set aside or merged."""
    facts: dict[str, object] = {
        **store_fact(store, json=json),
        "kind": report.kind.value,
        **report.counts(),
        **note_facts(report.notes),
    }
    if report.merged_ids:
        facts["ids of several rows"] = ", ".join(report.merged_ids) + (", ..." if report.merged > 1 else "")
    groups, advice = report.suspicions(), report.advice()
    if json:
        suspicions = [{**asdict(group), "factor": group.factor} for group in groups]
        problems = [asdict(problem) for problem in report.problems]
        print_json({**facts, "problems": problems, "suspicions": suspicions, "advice": advice})
        return
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
