"""Products are updated by what their file has; rows keep to their product's currency."""

from dataclasses import replace
from pathlib import Path

import pytest

from agent.domain.records import ProductRecord
from agent.service.ingest import ImportKind, Note
from tests.agent.service.ingest.builders import import_text

PRODUCTS, EVENTS, OUTCOMES = ImportKind.PRODUCTS, ImportKind.EVENTS, ImportKind.OUTCOMES
STORED = ProductRecord(
    product_id="A",
    title="Kettle",
    currency="EUR",
    list_minor=4_000,
    cost_minor=2_400,
    description="Steel",
    category="kitchen",
    brand="Halm",
    inventory=7,
    rating=4.5,
    floor_minor=3_000,
    ceiling_minor=5_000,
    map_minor=3_500,
    attributes={"colour": "red"},
)
KNOWN = {"A": STORED}
AT = "2026-01-31T12:00:00Z"


def test_what_a_file_does_not_have_stays_as_stored(tmp_path: Path) -> None:
    read = import_text(tmp_path, PRODUCTS, "product_id,list_price\nA,39.90\n", KNOWN)
    assert read.products == [replace(STORED, list_minor=3_990)]
    read = import_text(tmp_path, PRODUCTS, "product_id,cost,size\nA,20,l\n", KNOWN)
    assert read.products == [replace(STORED, cost_minor=2_000, attributes={"colour": "red", "size": "l"})]


def test_an_empty_cell_leaves_what_is_stored(tmp_path: Path) -> None:
    content = "product_id,title,list_price,cost,min_price,inventory,colour\nA,,39.90,,, ,\n"
    assert import_text(tmp_path, PRODUCTS, content, KNOWN).products == [replace(STORED, list_minor=3_990)]


def test_replace_makes_a_row_the_whole_product(tmp_path: Path) -> None:
    content = "product_id,title,list_price,cost\nA,Pot,39.90,\n"
    read = import_text(tmp_path, PRODUCTS, content, KNOWN, replace=True, currency="EUR")
    assert read.products == [ProductRecord("A", "Pot", "EUR", 3_990)]


def test_a_repeated_row_adds_to_the_one_before_it(tmp_path: Path) -> None:
    content = "product_id,list_price,cost\nB,10,5\nB,11,\n"
    read = import_text(tmp_path, PRODUCTS, content, currency="EUR")
    assert [(one.list_minor, one.cost_minor) for one in read.products] == [(1_000, 500), (1_100, 500)]


def test_a_repeated_row_never_builds_on_one_that_was_set_aside(tmp_path: Path) -> None:
    content = "product_id,list_price,brand\nA,4000.00,Odra\nA,,Halm\n"
    read = import_text(tmp_path, PRODUCTS, content, KNOWN, accept_suspicious=False)
    assert read.prices.get("A", STORED.list_minor) == STORED.list_minor


@pytest.mark.parametrize(
    ("row", "title"),
    [("B,10,,", "B"), ("B,10,Halm,", "Halm"), ("B,10,Halm,kitchen", "Halm kitchen"), ("A,39,Odra,", "Kettle")],
)
def test_a_product_without_title_goes_by_the_stored_one_brand_category_or_id(
    row: str, title: str, tmp_path: Path
) -> None:
    content = f"product_id,list_price,brand,category\n{row}\n"
    assert import_text(tmp_path, PRODUCTS, content, KNOWN, currency="EUR").products[0].title == title


def test_a_new_product_needs_a_list_price(tmp_path: Path) -> None:
    read = import_text(tmp_path, PRODUCTS, "product_id,cost\nA,20\nB,20\n", KNOWN, currency="EUR")
    assert [one.product_id for one in read.products] == ["A"]
    assert "new" in read.reasons[3]


def test_no_stored_amount_stays_under_another_currency(tmp_path: Path) -> None:
    partly = import_text(tmp_path, PRODUCTS, "product_id,list_price,currency\nA,16000,JPY\n", KNOWN)
    assert (partly.products, list(partly.reasons)) == ([], [2])
    assert "cost, min_price, max_price, map_price would stay" in partly.reasons[2]
    content = "product_id,list_price,cost,min_price,max_price,map_price,currency\nA,16000,9000,9000,20000,15000,JPY\n"
    (whole,) = import_text(tmp_path, PRODUCTS, content, KNOWN).products
    assert (whole.currency, whole.list_minor, whole.map_minor) == ("JPY", 16_000, 15_000)
    (replaced,) = import_text(
        tmp_path, PRODUCTS, "product_id,list_price,currency\nA,16000,JPY\n", KNOWN, replace=True
    ).products
    assert (replaced.currency, replaced.cost_minor) == ("JPY", None)


@pytest.mark.parametrize("option", [None, "JPY"])
def test_rows_in_another_currency_than_their_product_are_refused(option: str | None, tmp_path: Path) -> None:
    column, cell = ("", "") if option else (",currency", ",JPY")
    events = import_text(
        tmp_path,
        EVENTS,
        f"shopper_id,type,product_id,at,price,list_price{column}\ns,purchase,A,{AT},16000,16000{cell}\ns,view,A,{AT},,{cell}\n",
        KNOWN,
        currency=option,
    )
    assert ([event.type.value for event in events.events], list(events.reasons)) == (["view"], [2])
    outcomes = import_text(
        tmp_path,
        OUTCOMES,
        f"product_id,price,reference_price,bought,at{column}\nA,16000,16000,1,{AT}{cell}\nA,15000,,1,{AT}{cell}\n",
        KNOWN,
        currency=option,
    )
    assert (outcomes.outcomes, list(outcomes.reasons)) == ([], [2, 3])
    assert "allowed: EUR" in outcomes.reasons[2]


def test_rows_that_name_no_currency_are_in_their_product_s(tmp_path: Path) -> None:
    read = import_text(tmp_path, OUTCOMES, f"product_id,price,bought,at\nA,39.90,yes,{AT}\n", KNOWN)
    (outcome,) = read.outcomes
    assert (outcome.currency, outcome.price_minor, outcome.reference_minor) == ("EUR", 3_990, 4_000)


def test_more_digits_than_the_currency_has_are_refused_in_every_column(tmp_path: Path) -> None:
    head = "product_id,price,reference_price,bought,at,context.competitor_prices"
    rows = ["A,1.2345,,1,{},", "A,1,1.2345,1,{},", "A,1,1,1,{},1.2345", "A,1,1,1,{},2;1.250", "A,1.250,1,1,{},"]
    content = "\n".join([head, *(row.format(AT) for row in rows)])
    read = import_text(tmp_path, OUTCOMES, content, KNOWN)
    assert (read.report.bad, read.report.imported) == (5, 0)


def test_context_columns_are_checked_as_a_quote_s(tmp_path: Path) -> None:
    head = "product_id,price,bought,at,context.inventory,context.deadline,context.Competitor Price,context.market_trend"
    content = f"{head},context.x\nA,1,1,{AT},-2,{AT},9;8,rising,1\nA,1,1,{AT},x,,,,\nA,1,1,{AT},,soon,,,\n"
    read = import_text(tmp_path, OUTCOMES, content, KNOWN)
    assert read.outcomes[0].context == {
        "inventory": 0.0,
        "deadline": "2026-01-31T12:00:00+00:00",
        "competitor_prices": 800.0,
        "market_trend": "rising",
        "x": 1.0,
    }
    assert list(read.reasons) == [3, 4]


def test_promotion_columns_are_truth_values_and_empty_cells_say_nothing(tmp_path: Path) -> None:
    head = "product_id,price,bought,at,context.promotion.display,Context Promotion Mailer"
    cells = ["1,no", "yes,", ",", "end cap,1", "1,2"]
    content = "\n".join([head, *(f"A,1,1,{AT},{cell}" for cell in cells)])
    read = import_text(tmp_path, OUTCOMES, content, KNOWN)
    assert [one.context for one in read.outcomes] == [
        {"promotion.display": True, "promotion.mailer": False},
        {"promotion.display": True},
        None,
    ]
    assert list(read.reasons) == [5, 6]


def test_contradicting_limits_are_refused_and_a_cost_above_the_list_price_is_noted(tmp_path: Path) -> None:
    content = (
        "product_id,title,list_price,cost,min_price,max_price\nB,Pot,10.00,12.00,,\nC,Pan,100,,120,90\nD,Lid,10,999,,\n"
    )
    read = import_text(tmp_path, PRODUCTS, content, currency="EUR")
    assert [one.product_id for one in read.products] == ["B"]
    assert [(one.line, one.column, one.value) for one in read.report.problems] == [
        (3, "min_price", "120.00 EUR"),
        (4, "cost", "999.00 EUR"),
    ]
    [named] = read.report.notes.values[Note.DOUBTFUL]
    assert named.startswith("B: cost 12.00 EUR is above list_price 10.00 EUR")


def test_the_cost_of_an_offer_is_kept_in_minor_units_and_a_bad_one_is_refused_with_its_remedy(tmp_path: Path) -> None:
    cells = ("21.50", "", "-1", "1.2345", "much", "250")
    content = "\n".join(["product_id,price,bought,at,cost", *(f"A,39.90,1,{AT},{cell}" for cell in cells)])
    read = import_text(tmp_path, OUTCOMES, content, KNOWN)
    assert [one.cost_minor for one in read.outcomes] == [2_150, None]
    assert list(read.reasons) == [4, 5, 6, 7]
    assert "remedy: give it in major units" in read.reasons[7]
    foreign = f"product_id,price,bought,at,cost,currency\nA,4000,1,{AT},2000,JPY\n"
    assert "allowed: EUR" in import_text(tmp_path, OUTCOMES, foreign, KNOWN).reasons[2]
