from datetime import UTC, datetime

from hypothesis import example, given
from hypothesis import strategies as st

from agent.domain.plain_requests import PlainRequests
from agent.domain.records import ProductRecord
from agent.service.ingest.errors import CellError
from agent.service.ingest.offers import Offer, parse_offer
from agent.service.ingest.raw_rows import Layout, RawRow
from agent.service.ingest.reading import Reading, ReadingOptions

KNOWN = {"p1": ProductRecord("p1", "Tea", "EUR", 500, 300), "7": ProductRecord("7", "Pen", "JPY", 90)}
IDS = st.one_of(st.sampled_from(["p1", " p1 ", "7", "7.0", "gone", ""]), st.text(max_size=5))
PRICES = st.sampled_from(["1.50", "0", "", "200", "-3", "many", "1,5"])


def parsed(cells: dict[str, str]) -> tuple[object, ...]:
    """Parse a row: what is asked and at which price, or the problem with it."""
    names = tuple(cells)
    row = RawRow(2, cells, Layout(names, {}, complete=True), names, tuple(cells.values()))
    try:
        offer = parse_offer(
            row, Reading(ReadingOptions(), KNOWN.get, datetime(2026, 12, 1, tzinfo=UTC)), PlainRequests()
        )
    except CellError as error:
        return error.column, error.value, error.reason
    assert isinstance(offer, Offer)
    return offer.priced.request.model_dump(), offer.priced.price_minor, offer.currency, offer.knows_cost


@given(shopper=IDS, product=IDS, price=PRICES)
@example(shopper="s1", product="p1", price="1.50")
def test_a_row_of_ids_and_a_price_is_parsed_as_with_further_columns_that_are_empty(
    shopper: str, product: str, price: str
) -> None:
    cells = {"shopper_id": shopper, "product_id": product, "price": price}
    assert parsed(cells) == parsed({**cells, "title": "", "quantity": "", "at": ""})
