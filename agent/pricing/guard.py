"""Step 6, always last: the chosen prices through the kill switch and the gateway."""

from dataclasses import dataclass, replace

from agent.domain.decision import Decision
from agent.pricing.flow import Flow, Observation
from agent.rules.gateway import Guarded


@dataclass(frozen=True, slots=True)
class Guard:
    """Applies each request's limits; no path to an answer goes round it."""

    def guard(self, flow: Flow) -> None:
        """Add `guarded`: what may be shown of each chosen price."""
        flow.guarded = [
            self._one(o, flow.chosen(row).raw_minor, flow.selected[row].standing)
            for row, o in enumerate(flow.observations)
        ]

    def check(self, observation: Observation, raw_minor: int) -> Guarded:
        """One price through the limits of a request."""
        return observation.price_limits.apply(raw_minor)

    def _one(self, observation: Observation, raw_minor: int, standing: Decision | None) -> Guarded:
        """A standing price keeps the trail that led to it."""
        guarded = self.check(observation, raw_minor)
        if standing is None or guarded.price_minor != standing.price_minor:
            return guarded
        return replace(guarded, trail=standing.trail)
