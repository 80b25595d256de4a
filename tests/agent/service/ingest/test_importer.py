import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.domain.records import EventRecord, EventType, OutcomeRecord, OutcomeType, ProductRecord, ShopperRecord
from agent.service.ingest import (
    ImportFormatError,
    ImportKind,
    ImportOptions,
    ImportReport,
    ImportTargets,
    ReadingOptions,
    import_file,
)

P1 = ProductRecord("p1", "One", "USD", 299)
USD = ImportOptions(ReadingOptions("USD"))
PRODUCTS, EVENTS, OUTCOMES = ImportKind.PRODUCTS, ImportKind.EVENTS, ImportKind.OUTCOMES


@dataclass(slots=True)
class Kept:
    """Import targets that keep stored rows; the catalogue has one product."""

    products: list[ProductRecord] = field(default_factory=list)
    events: list[EventRecord] = field(default_factory=list)
    shoppers: list[ShopperRecord] = field(default_factory=list)
    outcomes: list[OutcomeRecord] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)

    def sinks(self) -> ImportTargets:
        def keep(kept: list[Any]) -> Callable[[Any], None]:
            def sink(rows: Any) -> None:
                self.batches.append(len(rows))
                kept.extend(rows)

            return sink

        def events(rows: Any) -> Any:
            keep(self.events)(rows)
            return rows

        return ImportTargets(
            products=keep(self.products),
            events=events,
            shoppers=keep(self.shoppers),
            outcomes=keep(self.outcomes),
            completed=len,
            known_events=lambda ids: set(),
            known_outcomes=lambda ids: {one.outcome_id for one in self.outcomes} & set(ids),
            outcomes_by_line=lambda: iter(()),
            product_of={"p1": P1}.get,
            now=datetime(2026, 12, 1, tzinfo=UTC),
        )


@dataclass(frozen=True, slots=True)
class Imported:
    report: ImportReport
    kept: Kept

    @property
    def problems(self) -> list[tuple[int, str, str]]:
        return [(problem.line, problem.column, problem.value) for problem in self.report.problems]


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Imported]:
    def loading(
        kind: ImportKind, content: str | bytes, name: str = "rows.csv", options: ImportOptions = USD
    ) -> Imported:
        file = tmp_path / name
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        kept = Kept()
        return Imported(import_file(kind, file, kept.sinks(), options), kept)

    return loading


Load = Callable[..., Imported]


def test_every_product_column_lands_and_others_become_attributes(load: Load) -> None:
    done = load(
        PRODUCTS,
        "product_id,title,description,category,brand,list_price,cost,inventory,rating,currency,min_price,max_price,"
        "map_price,organic weight,sku,screen.size,context.weather\n"
        "p9,Oat drink,A drink,DAIRY,Halm,2.99,1.6,12,4.5,EUR,2,4,2.5,1.25,00123,5.5,sunny\n",
    )
    assert done.kept.products == [
        ProductRecord(
            product_id="p9",
            title="Oat drink",
            currency="EUR",
            list_minor=299,
            cost_minor=160,
            description="A drink",
            category="DAIRY",
            brand="Halm",
            inventory=12,
            rating=4.5,
            floor_minor=200,
            ceiling_minor=400,
            map_minor=250,
            attributes={"organic weight": 1.25, "sku": "00123", "screen.size": 5.5},
        )
    ]
    assert (done.report.read, done.report.imported, done.report.bad) == (1, 1, 0)


def test_good_rows_land_and_bad_ones_are_listed_with_line_column_and_value(load: Load) -> None:
    done = load(
        PRODUCTS,
        "product_id,title,list_price,rating,inventory,currency\n"
        "p1,One,1.00,,,\n"
        "p2,Two,-1,,,\n"
        "p3,Three,1.005,,,\n"
        ",Four,1,,,\n"
        "p5,Five,0,,,\n"
        "p6,Six,,,,\n"
        "p7,Seven,1,6,,\n"
        "p8,Eight,1,,2.5,\n"
        "p9,Nine,1,,,ZZZ\n"
        "p10,Te\x07n,1,,,\n"
        "p11,Eleven,1\n"
        "p12,Twelve,NaN,,,\n"
        "p13,Thirteen,1_000,,,\n"
        "p14,Fourteen,2.00,,,\n",
    )
    assert [product.product_id for product in done.kept.products] == ["p1", "p14"]
    assert done.problems == [
        (3, "list_price", "-1"),
        (4, "list_price", "1.005"),
        (5, "product_id", ""),
        (6, "list_price", "0"),
        (7, "list_price", ""),
        (8, "rating", "6"),
        (9, "inventory", "2.5"),
        (10, "currency", "ZZZ"),
        (11, "title", "Te\x07n"),
        (12, "", ""),
        (13, "list_price", "NaN"),
        (14, "list_price", "1_000"),
    ]
    assert all(problem.reason for problem in done.report.problems)
    assert (done.report.read, done.report.imported, done.report.bad) == (14, 2, 12)


def test_marks_line_ends_quoted_breaks_and_blank_lines_are_read_as_spreadsheets_write_them(load: Load) -> None:
    content = (
        b'\xef\xbb\xbfproduct_id;title;list_price\r\np1;"Oat; ""fresh""\r\ndrink";2.99\r\n\r\np2;Br\xc3\xb6d;oops\r\n'
    )
    done = load(PRODUCTS, content)
    assert [product.title for product in done.kept.products] == ['Oat; "fresh"\r\ndrink']
    assert done.problems == [(5, "list_price", "oops")]


def test_a_row_that_is_no_csv_or_not_utf_8_fails_alone(load: Load) -> None:
    done = load(PRODUCTS, b'product_id,title,list_price\np1,"5" TV",9\np2,Br\xf6d,9\np3,Three,9\n')
    assert [product.product_id for product in done.kept.products] == ["p3"]
    assert [problem.line for problem in done.report.problems] == [2, 3]


def test_a_short_first_row_does_not_hide_columns_that_the_header_has(load: Load) -> None:
    done = load(PRODUCTS, "product_id,title,list_price\np1\np2,Two,2\n")
    assert [product.product_id for product in done.kept.products] == ["p2"]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("rows.csv", "title,list_price\nOne,1\n", "product_id"),
        ("rows.csv", "", "no header"),
        ("rows.csv", "title,title\na,b\n", "several columns named title"),
        ("rows.csv", b"\xff\xfep\x00r\x00o\x00\n", "UTF-8"),
        ("rows.parquet", "no parquet", "Parquet"),
        ("rows.xlsx", "", ".csv"),
    ],
    ids=["missing column", "empty", "two columns of one name", "utf-16", "not parquet", "unknown ending"],
)
def test_a_file_that_cannot_be_imported_says_why(load: Load, name: str, content: str | bytes, told: str) -> None:
    with pytest.raises(ImportFormatError, match=told):
        load(PRODUCTS, content, name)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImportFormatError, match="no such file"):
        import_file(PRODUCTS, tmp_path / "none.csv", Kept().sinks(), USD)


def test_columns_are_renamed_and_wrong_names_are_refused(load: Load) -> None:
    content = "sku,name,price\np1,One,1.50\n"
    mapped = ImportOptions(ReadingOptions("USD", {"sku": "product_id", "name": "title", "price": "list_price"}))
    assert load(PRODUCTS, content, options=mapped).kept.products[0].list_minor == 150
    with pytest.raises(ImportFormatError, match="did you mean shopper_id"):
        load(EVENTS, "u,type,at\n1,view,now\n", options=ImportOptions(ReadingOptions(None, {"u": "shopper"})))
    with pytest.raises(ImportFormatError, match="are both title"):
        load(
            PRODUCTS,
            "product_id,title,name,list_price\n1,a,b,1\n",
            options=ImportOptions(ReadingOptions("USD", {"name": "title"})),
        )


def test_without_any_currency_the_row_says_so(load: Load) -> None:
    done = load(PRODUCTS, "product_id,title,list_price\np2,Two,1\n", options=ImportOptions())
    assert done.problems == [(2, "currency", "")]
    assert "--currency" in done.report.problems[0].reason


def test_events_carry_profiles_and_name_columns_that_mean_nothing(load: Load) -> None:
    done = load(
        EVENTS,
        "shopper_id,type,product_id,at,qty,price,text,profile.age,profile.region,context.weather\n"
        "s1,purchase,p1,2026-01-31T12:00:00+01:00,2,2.79,,30,north,wet\n"
        "s1,search,,2026-01-31T12:00:00Z,,,oat milk,,,\n"
        "s1,view,,2026-01-31T12:00:00Z,,,,,,\n"
        "s1,sneeze,p1,2026-01-31T12:00:00Z,,,,,,\n"
        "s1,view,p1,2026-01-31T12:00:00,,,,,,\n"
        "s1,view,p1,1700000000,,,,,,\n",
    )
    first, second = done.kept.events
    assert replace(first, event_id=None) == EventRecord(
        "s1", EventType.PURCHASE, datetime(2026, 1, 31, 11, tzinfo=UTC), "p1", 1, 279, None, "USD"
    )
    assert (second.text, second.product_id, second.price_minor, second.currency) == ("oat milk", None, None, None)
    assert done.kept.shoppers == [ShopperRecord("s1", {"age": 30.0, "region": "north"})]
    assert done.problems == [
        (4, "product_id", ""),
        (5, "type", "sneeze"),
        (6, "at", "2026-01-31T12:00:00"),
        (7, "at", "1700000000"),
    ]
    assert list(done.report.notes.ignored) == ["qty", "context.weather"]
    assert "did you mean quantity" in done.report.notes.ignored["qty"]


def test_outcomes_take_the_reference_of_their_product_unless_they_bring_one(load: Load) -> None:
    done = load(
        OUTCOMES,
        "shopper_id,product_id,price,bought,quantity,at,propensity,reference_price,weight\n"
        "s1,p1,2.79,1,2,2026-01-31T12:00:00Z,0.25,,\n"
        ",p2,2.79,false,,2026-01-31T12:00:00Z,,3.10,2\n"
        "s1,p2,2.79,1,,2026-01-31T12:00:00Z,,,\n"
        "s1,p1,2.79,maybe,,2026-01-31T12:00:00Z,,,\n"
        "s1,p1,0,1,,2026-01-31T12:00:00Z,,,\n"
        "s1,p1,1,1,,2026-01-31T12:00:00Z,0,,\n"
        "s1,p1,1,1,,2026-01-31T12:00:00Z,,,0\n",
    )
    first, second = done.kept.outcomes
    assert (first.type, first.reference_minor, first.propensity, first.weight) == (
        OutcomeType.PURCHASED,
        299,
        0.25,
        1.0,
    )
    assert (second.type, second.reference_minor, second.shopper_id, second.weight) == (
        OutcomeType.DECLINED,
        310,
        None,
        2,
    )
    columns = [(line, column) for line, column, _ in done.problems]
    assert columns == [(4, "product_id"), (5, "bought"), (6, "price"), (7, "propensity"), (8, "weight")]


def test_importing_outcomes_twice_gives_the_same_ids_and_equal_rows_differ(load: Load) -> None:
    row = "s1,p1,2.79,1,2026-01-31T12:00:00Z\n"
    content = f"shopper_id,product_id,price,bought,at\n{row}{row}"
    once, again = ([outcome.outcome_id for outcome in load(OUTCOMES, content).kept.outcomes] for _ in range(2))
    assert once == again
    assert len(set(once)) == 2


def test_ndjson_rows_may_differ_and_bad_lines_fail_alone(load: Load) -> None:
    rows: list[Any] = [
        {"product_id": 1, "title": "One", "list_price": 1.5},
        {"title": "Two", "list_price": 1},
        {"product_id": "3", "title": {"en": "Three"}, "list_price": 1},
        {"product_id": "4", "title": "Four", "list_price": True},
        {"product_id": "5", "title": "Five", "list_price": "2", "tags": ["a"]},
        {"product_id": "6", "title": "Six", "list_price": 2, "organic": True, "size": 7},
    ]
    content = "\n".join(["[1]", "{broken", "", *map(json.dumps, rows)])
    done = load(PRODUCTS, content, "rows.ndjson")
    assert [product.product_id for product in done.kept.products] == ["1", "6"]
    assert done.kept.products[1].attributes == {"organic": True, "size": 7.0}
    assert [(line, column) for line, column, _ in done.problems] == [
        (1, ""),
        (2, ""),
        (5, "product_id"),
        (6, "title"),
        (7, "list_price"),
        (8, "tags"),
    ]


def test_parquet_decimals_times_and_nulls_are_read_exactly(load: Load, tmp_path: Path) -> None:
    table = pa.table(
        {
            "shopper_id": ["s1", "s2", "s3"],
            "type": ["view", "purchase", "view"],
            "product_id": ["p1", "p1", None],
            "at": pa.array([datetime(2026, 1, 31, 12, tzinfo=UTC)] * 3, pa.timestamp("us", "UTC")),
            "price": pa.array([None, Decimal("2.79"), None], pa.decimal128(10, 2)),
        }
    )
    parquet.write_table(table, tmp_path / "made.parquet")
    done = load(EVENTS, (tmp_path / "made.parquet").read_bytes(), "rows.parquet")
    assert [(event.shopper_id, event.price_minor) for event in done.kept.events] == [("s1", None), ("s2", 279)]
    assert done.kept.events[0].at == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert done.problems == [(3, "product_id", "")]


def test_a_long_file_lands_in_bounded_batches_and_keeps_a_thousand_problems(load: Load) -> None:
    rows = "".join(f"p{index},Product {index},{'1.00' if index % 2 else 'x'}\n" for index in range(5_000))
    done = load(PRODUCTS, f"product_id,title,list_price\n{rows}")
    assert (done.report.read, done.report.imported, done.report.bad) == (5_000, 2_500, 2_500)
    assert len(done.report.problems) == 1_000
    assert max(done.kept.batches) <= 2_000


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=30), min_size=1, max_size=6))
def test_no_content_breaks_the_import_and_every_row_is_counted_once(load: Load, lines: list[str]) -> None:
    done = load(PRODUCTS, "product_id,title,list_price\n" + "\n".join(lines))
    assert done.report.read == done.report.imported + done.report.bad
    assert len(done.kept.products) == done.report.imported


def test_an_event_is_the_same_in_another_file_and_at_another_line(load: Load) -> None:
    head, row = "shopper_id,type,product_id,at,event_id\n", "s1,view,p1,2026-01-31T12:00:00Z,\n"
    first = load(EVENTS, head + row).kept.events[0]
    other = load(EVENTS, f"{head}s2,view,p1,2026-01-31T12:00:00Z,mine\n{row}").kept.events
    assert [one.event_id for one in other] == ["mine", first.event_id]


def test_outcomes_keep_profile_and_context_and_describe_their_shopper(load: Load) -> None:
    done = load(
        OUTCOMES,
        "shopper_id,product_id,price,bought,at,profile.region,context.channel,context.competitor_price,context.inventory\n"
        "s1,p1,2.79,1,2026-01-31T12:00:00Z,north,app,2.59,4\n"
        ",p1,2.79,0,2026-01-31T12:00:00Z,south,,,\n"
        "s1,p1,2.79,0,2026-01-31T12:00:00Z,,,dear,\n",
    )
    first, second = done.kept.outcomes
    assert first.profile == {"region": "north"}
    assert first.context == {"channel": "app", "competitor_prices": 259.0, "inventory": 4.0}
    assert (second.profile, second.context) == ({"region": "south"}, None)
    assert done.kept.shoppers == [ShopperRecord("s1", {"region": "north"})]
    assert [(line, column) for line, column, _ in done.problems] == [(4, "context.competitor_price")]
