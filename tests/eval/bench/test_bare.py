"""The bare application answers with the types of the service."""

from litestar.testing import TestClient

from agent.api.responses.lists import PageAnswer
from agent.api.responses.quotes import QuoteAnswer
from agent.api.responses.shopper_quotes import ShopperQuoteAnswer
from eval.bench.bare import create


def test_quotes_and_pages_are_answered_in_both_views() -> None:
    with TestClient(create()) as client:
        asked = {"shopper": {"id": "10"}, "product": {"id": "1000002"}}
        merchants = client.post("/v1/quotes", json=asked)
        assert merchants.status_code == 201
        assert QuoteAnswer.model_validate_json(merchants.content).similar
        assert ShopperQuoteAnswer.model_validate_json(client.post("/v1/quotes?view=shopper", json=asked).content).token
        listed = client.post("/v1/pages", json={"products": ["a", "b"]})
        assert len(PageAnswer.model_validate_json(listed.content).quotes) == 2
        assert client.post("/v1/quotes", json={"shopper": {}}).status_code == 400
