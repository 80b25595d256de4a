"""Step 6: the merchant's limits for each request, and the gateway applied with them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from agent.domain.decision import TrailStep
from agent.domain.records import ProductRecord
from agent.pricing.observation import Observation, RequestLimits
from agent.pricing.select import Selected
from agent.rules.gateway import Bounds, GatewayFacts, GatewayRules, Guarded, bounds, guard, tightest
from agent.rules.kill_switch import RULE
from agent.rules.packs import binding


@dataclass(frozen=True, slots=True)
class Guard:
    """The merchant's rules in effect, tightened by each product's and each request's."""

    def rules(
        self, merchant: GatewayRules, product: ProductRecord, limits: RequestLimits, place: str | None
    ) -> GatewayRules:
        """The tightest of merchant, product, request and the law of the place."""
        own = GatewayRules(
            floor_minor=product.floor_minor, ceiling_minor=product.ceiling_minor, map_minor=product.map_minor
        )
        asked = GatewayRules(
            floor_minor=limits.min_minor,
            ceiling_minor=limits.max_minor,
            min_margin_frac=limits.min_margin_frac or 0.0,
            max_discount_frac=limits.max_discount_frac,
        )
        law = binding(place, product.category)
        return tightest(merchant, own, asked, GatewayRules(discount_only=law.discount_only, parity=law.parity))

    def facts(self, observation: Observation) -> GatewayFacts:
        """Cost, reference and last price, fresh from this request."""
        return GatewayFacts(
            reference_minor=observation.reference_minor,
            fraction_digits=observation.fraction_digits,
            cost_minor=observation.product.cost_minor,
            last_price_minor=observation.last_price_minor,
            stranger_minor=observation.stranger_minor,
        )

    def bounds(self, observation: Observation) -> Bounds:
        """Every price that may be answered."""
        return bounds(self._rules(observation), self.facts(observation))

    def check(self, observation: Observation, raw_minor: int) -> Guarded:
        """One price through the gateway."""
        return self.check_all(observation, [raw_minor])[0]

    def check_all(self, observation: Observation, raw_minor: Sequence[int]) -> list[Guarded]:
        """Prices of one request through the gateway, by rules that are read once."""
        if observation.killed is not None:
            price = observation.reference_minor
            return [Guarded(price, (TrailStep(RULE, raw, price, observation.killed),), held=True) for raw in raw_minor]
        rules, facts = self._rules(observation), self.facts(observation)
        return [guard(raw, rules, facts) for raw in raw_minor]

    def prices(self, observation: Observation, raw_minor: Sequence[int]) -> list[int]:
        """What the gateway makes of proposed prices."""
        return [guarded.price_minor for guarded in self.check_all(observation, raw_minor)]

    def apply(self, observations: Sequence[Observation], selected: Sequence[Selected]) -> list[Guarded]:
        """The chosen prices through the gateway, from what was proposed to what may be shown."""
        return [self._final(o, choice) for o, choice in zip(observations, selected, strict=True)]

    def _final(self, observation: Observation, choice: Selected) -> Guarded:
        """A price that stands keeps the trail that led to it."""
        guarded = self.check(observation, choice.raw_minor)
        if choice.held is None or guarded.price_minor != choice.held.price_minor:
            return guarded
        return replace(guarded, trail=choice.held.trail)

    def _rules(self, observation: Observation) -> GatewayRules:
        return self.rules(
            observation.merchant.limits, observation.product, observation.limits, observation.market.jurisdiction
        )
