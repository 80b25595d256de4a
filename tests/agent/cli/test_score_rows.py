"""`score`: the columns of a quote, each product's currency, profit in major units."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from agent.cli.score_rows import ScoredFile, score_file
from agent.domain.records import ProductRecord
from agent.service.ingest import ImportFormatError, ReadingOptions
from agent.service.ingest.numerals import DecimalMark
from agent.service.service import Service
from tests.prepared import World

AT = "2026-12-01T12:00:00Z"


@pytest.fixture(scope="module")
def service(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with products in four currencies, one without cost."""
    running = world.copy(tmp_path_factory.mktemp("score") / "data").service()
    running.upsert_products(
        [
            ProductRecord("YEN", "Tea", "JPY", 1_299, 900),
            ProductRecord("EURO", "Lamp", "EUR", 10_000, 6_000),
            ProductRecord("DINAR", "Pen", "KWD", 12_345, 6_000),
            ProductRecord("FREE", "Stone", "EUR", 10_000),
        ]
    )
    yield running
    running.close()


def scored(
    service: Service, folder: Path, content: str, name: str = "offers.csv", **options: Any
) -> tuple[list[dict[str, str]], ScoredFile]:
    file, out = folder / name, folder / "scored.csv"
    if content:
        file.write_text(content)
    found = score_file(service, file, out, ReadingOptions(**options), lambda _what, _share: None)
    with out.open(newline="") as handle:
        return list(csv.DictReader(handle)), found


def test_each_row_is_in_its_product_s_currency(service: Service, tmp_path: Path) -> None:
    content = (
        f"shopper_id,product_id,price,at\nex,YEN,1299,{AT}\nex,EURO,100.00,{AT}\nex,DINAR,12.345,{AT}\n"
        f'ex,EURO,1.250,{AT}\nex,EURO,"100,00",{AT}\n'
    )
    rows, found = scored(service, tmp_path, content)
    assert [row["currency"] for row in rows] == ["JPY", "EUR", "KWD", "", ""]
    assert [bool(row["problem"]) for row in rows] == [False, False, False, True, True]
    assert all("--decimal" in row["problem"] for row in rows[3:])
    for row, margin in zip(rows, (399, 40, 6.345), strict=False):
        assert float(row["profit"]) == pytest.approx(float(row["purchase_probability"]) * margin)
    assert (found.rows, found.bad) == (5, 2)


@pytest.mark.parametrize(("column", "options"), [(",currency", {}), ("", {"currency": "USD"})])
def test_a_row_in_another_currency_than_its_product_is_refused(
    column: str, options: dict[str, str], service: Service, tmp_path: Path
) -> None:
    cell = ",USD" if column else ""
    rows, _ = scored(service, tmp_path, f"product_id,price{column}\nYEN,1299{cell}\n", **options)
    assert "allowed: JPY" in rows[0]["problem"]
    assert rows[0]["purchase_probability"] == ""


def test_a_price_of_nothing_is_refused(service: Service, tmp_path: Path) -> None:
    rows, found = scored(service, tmp_path, "product_id,price\nEURO,0\nEURO,\nNONE,5\n")
    assert (found.bad, ["price" in row["problem"] for row in rows]) == (3, [True, True, True])


def test_profit_is_empty_where_the_cost_is_unknown(service: Service, tmp_path: Path) -> None:
    rows, found = scored(service, tmp_path, "product_id,price,cost\nFREE,90,\nFREE,90,50\n")
    assert [row["profit"] != "" for row in rows] == [False, True]
    assert "cost is unknown" in rows[0]["note"]
    assert (found.bad, found.without_cost) == (0, 1)
    assert float(rows[1]["profit"]) == pytest.approx(float(rows[1]["purchase_probability"]) * 40)


def test_a_reference_price_rivals_and_quantity_change_the_scores(service: Service, tmp_path: Path) -> None:
    head = "product_id,price,reference_price,context.competitor_prices,quantity"
    rows, _ = scored(service, tmp_path, f"{head}\nEURO,90,,,\nEURO,90,70,,\nEURO,90,,50;80,\nEURO,90,,,3\n")
    chances = [float(row["purchase_probability"]) for row in rows]
    assert [row["problem"] for row in rows] == [""] * 4
    assert chances[1] < chances[0]
    assert chances[2] != chances[0]
    assert float(rows[3]["profit"]) == pytest.approx(3 * 30 * chances[3])


def test_a_list_of_rivals_is_read_from_every_format(service: Service, tmp_path: Path) -> None:
    row = {"product_id": "EURO", "price": 90.0, "context.competitor_prices": [80.0, 50.0]}
    parquet.write_table(pa.Table.from_pylist([row]), tmp_path / "offers.parquet")
    found = [
        scored(service, tmp_path, "", "offers.parquet")[0][0],
        scored(service, tmp_path, json.dumps(row) + "\n", "offers.ndjson")[0][0],
        scored(service, tmp_path, "product_id,price,context.competitor_price\nEURO,90,80|50\n")[0][0],
    ]
    assert [one["problem"] for one in found] == [""] * 3
    assert len({one["purchase_probability"] for one in found}) == 1


def test_a_product_that_is_not_stored_is_described_by_its_row(service: Service, tmp_path: Path) -> None:
    head = "product_id,price,title,category,brand,list_price,cost,rating,attributes.colour,profile.age"
    rows, _ = scored(service, tmp_path, f"{head}\n,90,Lamp,lighting,Odra,100,60,4.5,red,30\n", currency="EUR")
    assert rows[0]["problem"] == ""
    assert rows[0]["currency"] == "EUR"
    assert float(rows[0]["profit"]) > 0
    lost, _ = scored(service, tmp_path, f"{head}\n,90,Lamp,lighting,Odra,100,60,4.5,red,30\n")
    assert "--currency" in lost[0]["problem"]


def test_columns_that_are_not_used_are_named_and_order_and_cells_are_kept(service: Service, tmp_path: Path) -> None:
    rows, found = scored(service, tmp_path, "sku,Price,qty\nEURO,90,2\nFREE,80,x\n", mapping={"sku": "product_id"})
    assert [(row["sku"], row["Price"], row["qty"]) for row in rows] == [("EURO", "90", "2"), ("FREE", "80", "x")]
    assert "quantity" in found.notes.ignored["qty"]
    _, both = scored(service, tmp_path, "product_id,price,list_price,reference_price\nEURO,90,100,100\n")
    assert "reference_price" in both.notes.remarks["list_price"]
    with pytest.raises(ImportFormatError, match="no column price"):
        scored(service, tmp_path, "product_id,prize\nEURO,90\n")


def test_the_options_of_import_read_rows_to_score(service: Service, tmp_path: Path) -> None:
    rows, _ = scored(
        service,
        tmp_path,
        "price;at\n90,50 €;31.01.2026\n",
        decimal=DecimalMark.COMMA,
        constants={"product_id": "EURO"},
        date_format="%d.%m.%Y %z",
    )
    assert "--date-format" in rows[0]["problem"]
    plain, _ = scored(service, tmp_path, f"product_id,price,at\nEURO,90.50,{AT}\n")
    same, _ = scored(
        service, tmp_path, f"price;at\n90,50 €;{AT}\n", decimal=DecimalMark.COMMA, constants={"product_id": "EURO"}
    )
    assert same[0]["purchase_probability"] == plain[0]["purchase_probability"]


def test_limits_are_checked_as_a_quote_s(service: Service, tmp_path: Path) -> None:
    rows, _ = scored(service, tmp_path, "product_id,price,min_price,max_price\nEURO,90,100,80\nEURO,90,70,80\n")
    assert [bool(row["problem"]) for row in rows] == [True, False]


def test_nothing_is_recorded(service: Service, tmp_path: Path, world: World) -> None:
    before = world.decisions()
    scored(service, tmp_path, "product_id,price\nEURO,90\n")
    assert world.decisions() == before


def test_scores_say_that_an_untrained_evaluator_has_a_prior_of_other_shops(service: Service, tmp_path: Path) -> None:
    rows, found = scored(service, tmp_path, "product_id,price\nEURO,90\nEURO,-1\n")
    assert [row["identified_by"] for row in rows] == [found.identified_by] * 2
    assert found.identified_by in ("prior", "demo_store")
    assert [row["satisfaction_source"] for row in rows] == [found.origin.satisfaction] * 2
    assert found.origin.satisfaction == found.identified_by
    assert set(found.origin.priors) >= {"intent", "rival", "trend"}
