"""Files that are imported twice, in other currencies, in cents or from the future, into a real store."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.domain.records import OutcomeRecord, ProductRecord
from agent.service.ingest import (
    ImportKind,
    ImportOptions,
    ImportReport,
    ImportTargets,
    Note,
    RawRow,
    Reading,
    ReadingOptions,
    RowKind,
    import_file,
    read_table,
)
from agent.service.ingest.identity import line_id
from agent.service.ingest.raw_rows import Layout
from agent.store import Store

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
EUR = ReadingOptions("EUR")
PRODUCTS, EVENTS, OUTCOMES = ImportKind.PRODUCTS, ImportKind.EVENTS, ImportKind.OUTCOMES
HEAD = "shopper_id,product_id,price,reference_price,bought,at\n"

_SHOPPERS = count()

Load = Callable[..., ImportReport]


@pytest.fixture
def store(empty_store: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{empty_store}/store.db") as opened:
        opened.upsert_products([ProductRecord("p1", "Boots", "EUR", list_minor=10_000)])
        yield opened


@pytest.fixture
def load(store: Store, tmp_path: Path) -> Load:
    """Import a text as a file into the store."""

    def loading(kind: ImportKind, content: str, *, accept: bool = False, batch_rows: int = 2_000) -> ImportReport:
        file = tmp_path / "rows.csv"
        file.write_text(content, "utf-8")
        report = import_file(kind, file, targets(store), ImportOptions(EUR, accept), batch_rows=batch_rows)
        parts = {name: n for name, n in report.counts().items() if name not in ("read", "imported")}
        assert sum(parts.values()) == report.read
        return report

    return loading


def targets(store: Store) -> ImportTargets:
    def outcomes(rows: list[OutcomeRecord]) -> None:
        store.record_outcomes(rows)

    return ImportTargets(
        products=store.upsert_products,
        events=store.append_events,
        shoppers=store.upsert_profiles,
        outcomes=outcomes,  # type: ignore[arg-type]
        completed=store.complete_outcomes,
        known_events=store.known_events,
        known_outcomes=store.known_outcomes,
        outcomes_by_line=store.outcomes_by_line,
        product_of=lambda product_id: store.products([product_id]).get(product_id),
        now=NOW,
    )


def offers(most: int = 10) -> list[str]:
    return [f"s{n},p1,90.00,100.00,{n % 2},{NOW - timedelta(days=n):%Y-%m-%dT%H:%M:%SZ}" for n in range(1, most + 1)]


def log(rows: list[str]) -> str:
    return HEAD + "\n".join(rows) + "\n"


def counts(report: ImportReport) -> tuple[int, int, int]:
    return report.new, report.known, report.merged


def test_a_log_exported_again_with_a_newer_row_on_top_adds_that_row(load: Load, store: Store) -> None:
    assert counts(load(OUTCOMES, log(offers()))) == (10, 0, 0)
    assert counts(load(OUTCOMES, log(["s0,p1,90.00,100.00,1,2026-12-01T00:41:52Z", *offers()]))) == (1, 10, 0)
    assert store.last_outcome() == 11


@pytest.mark.parametrize(
    "again",
    [
        "\n" + "\n\n".join(offers()) + "\n",
        "\n".join(row.replace("90.00,100.00", "90,100.0") for row in offers()) + "\n",
        "\n".join(row.replace("Z", "+00:00") for row in reversed(offers())) + "\n",
    ],
    ids=["blank lines", "other spelling", "other order"],
)
def test_a_log_written_otherwise_is_known(load: Load, again: str) -> None:
    load(OUTCOMES, log(offers()))
    assert counts(load(OUTCOMES, HEAD + again)) == (0, 10, 0)


@pytest.mark.parametrize("column", ["quantity,1", "propensity,0.5", "profile.region,north", "currency,EUR", "note,x"])
def test_a_log_with_one_more_column_is_known(load: Load, column: str) -> None:
    name, value = column.split(",")
    load(OUTCOMES, log(offers()))
    wider = f"{HEAD.strip()},{name}\n" + "\n".join(f"{row},{value}" for row in offers())
    assert counts(load(OUTCOMES, wider)) == (0, 10, 0)


def test_a_log_without_its_reference_prices_is_known(load: Load) -> None:
    load(OUTCOMES, log(offers()))
    narrower = HEAD.replace("reference_price,", "") + "\n".join(row.replace("100.00,", "") for row in offers())
    assert counts(load(OUTCOMES, narrower)) == (0, 10, 0)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_the_same_rows_are_stored_however_a_growing_log_is_exported(
    load: Load, store: Store, data: st.DataObject
) -> None:
    shopper = f"shopper{next(_SHOPPERS)}"  # one store for all examples
    rows = [
        f"{shopper},p1,{price}.00,100.00,{bought},2026-11-0{day}T00:00:00Z"
        for price, bought, day in data.draw(
            st.lists(st.tuples(st.sampled_from([80, 90]), st.integers(0, 1), st.integers(1, 2)), min_size=1, max_size=9)
        )
    ]
    before = store.last_outcome()
    for end in (*sorted(data.draw(st.lists(st.integers(1, len(rows)), max_size=3))), len(rows)):
        exported = data.draw(st.permutations(rows[:end]))
        load(OUTCOMES, log(list(exported)))
    assert store.last_outcome() - before == len(rows)


def test_rows_with_ids_are_merged_by_them_and_named(load: Load, store: Store) -> None:
    head = HEAD.replace("at\n", "at,outcome_id\n")
    rows = [f"{row},o{number % 8}" for number, row in enumerate(offers())]
    report = load(OUTCOMES, head + "\n".join(rows))
    assert counts(report) == (8, 0, 2)
    assert report.merged_ids == ["o0", "o1"]
    assert counts(load(OUTCOMES, head + "\n".join(rows))) == (0, 8, 2)
    assert store.last_outcome() == 8


def old_import(store: Store, tmp_path: Path, content: str) -> None:
    """Store a file as earlier releases did, under ids from its lines."""
    file = tmp_path / "old.csv"
    file.write_text(content, "utf-8")
    rows = list(read_table(file, RowKind.OUTCOMES, Reading(EUR, lambda _: None, NOW)).rows)
    fresh = tmp_path / "fresh.db"
    with Store.open(f"sqlite:///{fresh}") as other:
        other.upsert_products([ProductRecord("p1", "Boots", "EUR", list_minor=10_000)])
        import_file(OUTCOMES, file, targets(other), ImportOptions(EUR))
        outcomes = [outcome for _, outcome in other.outcomes_since(0)]
    store.record_outcomes([replace(o, outcome_id=line_id(row, {})) for row, o in zip(rows, outcomes, strict=True)])


def test_a_log_that_an_earlier_release_imported_is_known_as_it_is_and_exported_again(
    load: Load, store: Store, tmp_path: Path
) -> None:
    twice = [*offers(), offers()[0]]
    old_import(store, tmp_path, log(twice))
    assert counts(load(OUTCOMES, log(twice))) == (0, 11, 0)
    assert counts(load(OUTCOMES, log([*reversed(twice), offers()[0]]))) == (1, 11, 0)
    assert store.last_outcome() == 12


def test_an_id_of_earlier_releases_is_what_they_made() -> None:
    row = RawRow(7, {}, Layout((), {}, True), ("kunde", "price"), ("s1", "90.00"))
    content = json.dumps([7, [["price", "90.00"], ["shopper_id", "s1"]]])
    assert line_id(row, {"kunde": "shopper_id"}) == "import-" + hashlib.sha256(content.encode()).hexdigest()[:32]


def test_a_file_imported_by_line_and_since_purged_of_its_shoppers_is_known_by_line(
    load: Load, store: Store, tmp_path: Path
) -> None:
    old_import(store, tmp_path, log(offers()))
    store.erase_shopper("s3")
    assert counts(load(OUTCOMES, log(offers()))) == (0, 10, 0)


EVENT_HEAD = "shopper_id,type,product_id,at,quantity,price,list_price,currency\n"
ORDER = (
    "s1,purchase,p1,2026-11-30T00:00:00Z,1,100.00,,EUR\n"
    "s1,purchase,p1,2026-11-30T00:00:00Z,5,90.00,,EUR\n"
    "s1,purchase,p1,2026-11-30T00:00:00Z,5,90.00,,EUR\n"
)


def test_lines_of_one_order_are_as_many_sales_and_known_when_exported_again(load: Load, store: Store) -> None:
    assert counts(load(EVENTS, EVENT_HEAD + ORDER)) == (3, 0, 0)
    assert sum(sale.quantity for sale in store.shopper_events("s1")) == 11
    assert counts(load(EVENTS, EVENT_HEAD + "s2,view,p1,2026-11-30T00:00:00Z,,,,\n" + ORDER)) == (1, 3, 0)


def test_lines_alike_in_batches_of_one_file_are_counted_over_the_whole_file(load: Load, store: Store) -> None:
    rows = ORDER.splitlines(keepends=True)
    assert counts(load(EVENTS, EVENT_HEAD + "".join(rows[1:] * 3), batch_rows=2)) == (6, 0, 0)
    assert counts(load(EVENTS, EVENT_HEAD + "".join(rows[1:] * 3), batch_rows=2)) == (0, 6, 0)
    load(OUTCOMES, log([offers()[0]] * 5), batch_rows=2)
    assert store.last_outcome() == 5


@pytest.mark.parametrize("kind", [EVENTS, OUTCOMES])
@pytest.mark.parametrize("priced", ["price", "list price"])
def test_rows_in_another_currency_than_their_known_product_are_bad(
    load: Load, store: Store, kind: ImportKind, priced: str
) -> None:
    if kind is OUTCOMES:
        content = "product_id,price,reference_price,bought,at,currency\np1,16000,16000,1,2026-11-28T12:32:35Z,JPY\n"
        content += "unknown,16000,16000,1,2026-11-28T12:32:35Z,JPY\np1,90,100,1,2026-11-28T12:32:35Z,EUR\n"
    else:
        prices = "16000," if priced == "price" else ",16000"
        content = f"{EVENT_HEAD}s1,view,p1,2026-11-28T12:32:35Z,,{prices},JPY\n"
        content += f"s1,view,unknown,2026-11-28T12:32:35Z,,{prices},JPY\ns1,view,p1,2026-11-28T12:32:35Z,,90,,EUR\n"
    report = load(kind, content)
    assert (report.new, report.bad) == (2, 1)
    problem = report.problems[0]
    assert (problem.line, problem.column, problem.value) == (2, "currency", "JPY")
    assert "EUR" in problem.reason
    assert "remedy" in problem.reason


def test_a_file_in_cents_is_set_aside_as_a_whole_with_the_reason(load: Load, store: Store) -> None:
    rows = [row.replace("90.00,100.00", "9000,10000") for row in offers()]
    report = load(OUTCOMES, log(rows))
    assert (report.new, report.suspicious, store.last_outcome()) == (0, 10, 0)
    (group,) = report.suspicions()
    assert (group.power, group.count, group.factor) == (2, 10, "about 100 times")
    assert group.examples[0].line == 2
    assert (group.examples[0].value, group.examples[0].expected) == ("10,000.00 EUR", "100.00 EUR")
    whole, remedy = report.advice()
    assert "100% of the prices" in whole
    assert "cents" in whole
    assert "--accept-suspicious" in remedy
    assert counts(load(OUTCOMES, log(rows), accept=True)) == (10, 0, 0)
    assert counts(load(OUTCOMES, log(rows))) == (0, 10, 0), "accepted before"


def test_a_fifth_in_cents_is_set_aside_and_the_rest_imported(load: Load) -> None:
    rows = [row.replace("90.00", "9000") if number % 5 == 0 else row for number, row in enumerate(offers(50))]
    report = load(OUTCOMES, log(rows))
    assert (report.new, report.suspicious, report.complete) == (40, 10, False)
    assert len(report.advice()) == 1


def test_suspicious_events_are_set_aside_until_they_are_accepted(load: Load) -> None:
    rows = (
        EVENT_HEAD + "s1,purchase,p1,2026-11-30T00:00:00Z,1,10000,,EUR\ns1,view,p1,2026-11-30T00:00:00Z,,10000,,EUR\n"
    )
    assert load(EVENTS, rows).suspicious == 2
    assert counts(load(EVENTS, rows, accept=True)) == (2, 0, 0)
    assert counts(load(EVENTS, rows)) == (0, 2, 0)


def test_products_are_new_changed_unchanged_repeated_or_suspicious(load: Load, store: Store) -> None:
    head = "product_id,title,list_price,cost\n"
    report = load(PRODUCTS, f"{head}p1,Boots,100.00,\np2,Belt,20.00,9\np3,Hat,30.00,\np3,Hat,35.00,\n")
    assert (report.new, report.changed, report.unchanged, report.merged) == (2, 0, 1, 1)
    assert report.notes.values[Note.MERGED] == ["p3"]
    assert store.products(["p3"])["p3"].list_minor == 3_500
    report = load(PRODUCTS, f"{head}p1,Boots,95.00,\np2,Belt,2000,9\np3,Hat,35.00,350\n")
    assert (report.changed, report.suspicious, report.bad) == (1, 1, 1)
    assert [product.list_minor for product in store.iter_products()] == [9_500, 2_000, 3_500]


def test_rows_from_the_future_are_bad(load: Load) -> None:
    late, early = (f"{NOW + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}" for hours in (25, 23))
    report = load(OUTCOMES, log([f"s1,p1,90.00,100.00,1,{late}", f"s1,p1,90.00,100.00,1,{early}"]))
    assert (report.new, report.bad) == (1, 1)
    assert (report.problems[0].column, report.problems[0].line) == ("at", 2)
    assert "future" in report.problems[0].reason
    report = load(EVENTS, f"{EVENT_HEAD}s1,view,p1,2099-12-31T00:00:00Z,,,,\ns1,view,p1,{early},,,,\n")
    assert (report.new, report.bad) == (1, 1)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32))
def test_every_row_of_a_messy_file_is_counted_once(load: Load, seed: int) -> None:
    random = Random(seed)  # noqa: S311 no secret
    cells = [
        ["s1", "s2", ""],
        ["p1", "p9", ""],
        ["90", "9000", "x"],
        ["100", "10000"],
        ["0", "1", "2"],
        ["2026-11-01T00:00:00Z", "2099-01-01T00:00:00Z", "1995-01-01T00:00:00Z"],
        ["", "a", "b"],
    ]
    rows = [",".join(random.choice(some) for some in cells) for _ in range(random.randrange(40))]
    load(OUTCOMES, HEAD.replace("at\n", "at,outcome_id\n") + "\n".join(rows))


def reported(*cells: str) -> str:
    rows = [f"{row},{more}" for row, more in zip(offers(len(cells)), cells, strict=True)]
    return f"{HEAD.strip()},returned,rating\n" + "\n".join(rows) + "\n"


def content(store: Store) -> list[tuple[bool | None, float | None]]:
    found = [one for _, one in store.outcomes_since(0)]
    return [(one.returned, one.rating) for one in sorted(found, key=lambda one: one.at, reverse=True)]


def test_returns_and_ratings_that_become_known_later_complete_the_stored_rows_once(load: Load, store: Store) -> None:
    load(OUTCOMES, log(offers(3)))
    assert content(store) == [(None, None)] * 3
    later = reported("1,2.5", ",", "0,5")
    for _ in range(2):
        assert counts(load(OUTCOMES, later)) == (0, 3, 0)
        assert content(store) == [(True, 2.5), (None, None), (False, 5.0)]
    load(OUTCOMES, log(offers(3)))
    assert content(store) == [(True, 2.5), (None, None), (False, 5.0)]


@pytest.mark.parametrize(
    ("cells", "column", "reason"),
    [
        (("2,",), "returned", "is not a truth value; allowed: 1 or 0"),
        ((",0",), "rating", "is out of range; allowed: 1 to 5"),
        ((",6",), "rating", "is out of range; allowed: 1 to 5"),
        ((",good",), "rating", ""),
        (("0,", "1,"), "returned", "is of a row with bought 0; remedy: leave it empty, or set bought to 1"),
        (("0,", ",3"), "rating", "is of a row with bought 0; remedy: leave it empty, or set bought to 1"),
    ],
)
def test_a_bad_return_or_rating_is_refused_with_row_and_remedy(
    load: Load, cells: tuple[str, ...], column: str, reason: str
) -> None:
    (problem,) = load(OUTCOMES, reported(*cells)).problems
    assert (problem.line, problem.column) == (len(cells) + 1, column)
    assert reason in problem.reason and problem.reason
