"""Reports: ratios to peers and baseline, and the table."""

from dataclasses import asdict
from typing import Any

from eval.bench.figures import RowFigures
from eval.bench.report import SubjectReport, document, row_ratios, row_table


def figures(p50_ms: float, quotes_s: float, errors: int = 0) -> RowFigures:
    return RowFigures(1, 10, 10, errors, p50_ms, 2 * p50_ms, quotes_s, 0.01)


SUBJECTS = {
    "this": SubjectReport(rows={"random": figures(10, 100), "same_16": figures(20, 800), "livez": figures(1, 900)}),
    "workers": SubjectReport(rows={"same_16": figures(15, 1_200)}),
    "before": SubjectReport(rows={"random": figures(50, 20), "same_16": figures(60, 240)}),
    "bare": SubjectReport(rows={"random": figures(0.5, 2_000), "random_16": figures(5, 3_200)}),
    "naive": SubjectReport(rows={"random": figures(250, 4)}),
}


def known() -> dict[str, Any]:
    return {name: asdict(one) for name, one in SUBJECTS.items()}


def test_rows_are_compared_by_their_own_figure() -> None:
    found = row_ratios(known(), None)
    assert (found["random"].before, found["random"].before_goal) == (5.0, 5)
    assert found["same_16"].before == 800 / 240


def test_several_workers_are_compared_with_the_commit_before() -> None:
    found = row_ratios(known(), None)
    assert (found["same_16"].workers, found["random"].workers) == (5.0, None)
    whole = document(SUBJECTS, {"generator": "wrk"}, {}, None)
    columns, rows = row_table(whole)
    row = next(one for one in rows if one[0].startswith("workers: "))
    assert row[columns.index("times")] == "5.0 x"


def test_the_bare_handler_is_compared_for_as_many_clients() -> None:
    found = row_ratios(known(), None)
    assert (found["random"].bare_frac, found["random"].bare_goal) == (0.05, 0.10)
    assert (found["same_16"].bare_frac, found["same_16"].bare_goal) == (0.25, 0.25)
    assert found["livez"].bare_frac is None


def test_a_baseline_without_a_row_gives_no_ratio() -> None:
    baseline = {"subjects": {"this": {"rows": {"random": asdict(figures(15, 50))}}}}
    found = row_ratios(known(), baseline)
    assert (found["random"].baseline, found["same_16"].baseline) == (1.5, None)


def test_the_table_leaves_out_what_was_not_measured() -> None:
    whole = document(SUBJECTS, {"generator": "wrk"}, {}, None)
    columns, rows = row_table(whole)
    assert "before p50 ms" in columns
    assert all(len(row) == len(columns) for row in rows)
    alone = document({"this": SUBJECTS["this"]}, {"generator": "wrk"}, {}, None)
    columns, rows = row_table(alone)
    assert columns == ["", "p50 ms", "p99 ms", "quotes/s", "errors"]
    assert [row[1] for row in rows] == ["10.0", "20.0", "1.00"]
