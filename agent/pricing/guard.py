"""Step 6, always last: the chosen prices through the kill switch and the gateway."""

from dataclasses import dataclass, replace

from agent.pricing.flow import Flow, Observation, Selected
from agent.rules.gateway import Guarded


@dataclass(frozen=True, slots=True)
class Guard:
    """Applies each request's limits; no path to an answer goes round it."""

    def guard(self, flow: Flow) -> None:
        """Add `guarded`: what may be shown of each chosen price."""
        flow.guarded = [self._one(o, choice) for o, choice in zip(flow.observations, flow.selected, strict=True)]

    def check(self, observation: Observation, raw_minor: int) -> Guarded:
        """One price through the limits of a request."""
        return observation.price_limits.apply(raw_minor)

    def _one(self, observation: Observation, choice: Selected) -> Guarded:
        """A standing price keeps the trail that led to it."""
        guarded = self.check(observation, choice.chosen.raw_minor)
        if choice.standing is None or guarded.price_minor != choice.standing.price_minor:
            return guarded
        return replace(guarded, trail=choice.standing.trail)
