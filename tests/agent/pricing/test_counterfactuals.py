from agent.domain.decision import Decision
from agent.domain.request import QuoteRequest
from agent.service.service import Service
from tests.prepared import World


def test_a_kept_request_asked_again_at_its_time_gives_the_recorded_price(service: Service, world: World) -> None:
    asked = {
        "shopper": {"id": world.shopper, "profile": {"income": 90_000, "gender": "female"}},
        "product": {"id": world.bought},
        "events": [{"type": "add_to_cart", "product_id": world.bought}],
        "context": {"inventory": 40, "location": "Lima", "religion": "none of yours"},
        "quantity": 2,
    }
    decision = service.quote([QuoteRequest.model_validate(asked)])[0]
    assert isinstance(decision, Decision)
    store = service._parts.store
    kept = store.request_of(decision.id)
    assert kept is not None
    assert "gender" not in str(kept)
    assert "religion" not in str(kept)

    again = service._parts.pipeline.counterfactual().quote([QuoteRequest.model_validate(kept)], decision.at)[0]

    assert isinstance(again, Decision)
    assert (again.price_minor, again.scores, again.confidence) == (
        decision.price_minor,
        decision.scores,
        decision.confidence,
    )
    assert store.decision(again.id) is None


def test_neither_a_quote_itself_nor_later_ones_limit_it_when_it_is_asked_again(service: Service, world: World) -> None:
    """Deep stock brings a shopper's price down; without it the next may rise from there by no more than a change."""
    pipeline, store = service._parts.pipeline, service._parts.store

    def ask(inventory: int) -> Decision:
        asked = {
            "shopper": {"id": f"again-{world.shopper}"},
            "product": {"id": world.bought, "cost": {"amount_minor": 100, "currency": "USD"}},
            "context": {"inventory": inventory},
        }
        found = service.quote([QuoteRequest.model_validate(asked)])[0]
        assert isinstance(found, Decision)
        return found

    decisions = [ask(1_000_000), ask(1), ask(1), ask(1_000_000)]
    assert any("last_price" in one.disclosure.inputs_used for one in decisions), "the change must have been limited"
    for one in decisions:
        kept = store.request_of(one.id)
        assert kept is not None
        again = pipeline.counterfactual().quote([QuoteRequest.model_validate(kept)], one.at)[0]
        assert isinstance(again, Decision)
        assert again.price_minor == one.price_minor
