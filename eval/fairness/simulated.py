"""Simulated shop in which a protected attribute correlates with willingness to pay, and proxies with the attribute.

Women come less often from companies, which pay more (an invented correlation). The shop sends gender, first name and
postcode besides the true causes of demand (segment and experience). The service must ignore gender; it may learn from
name and postcode. Consumer surplus is computed from the true demand, which only the simulator knows.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np

from eval.fairness.groups import Quotes
from eval.fairness.pairs import Pair, pairs_of, priced
from eval.policy.pricesmith import Pricesmith
from eval.simulators import Courses, Visit
from models.progress import Progress

SIMULATED: Final = "simulated shop"
_WOMEN: Final[Mapping[str, float]] = {"student": 0.6, "professional": 0.5, "company": 0.3}
_NAMES: Final[Mapping[str, Sequence[str]]] = {
    "female": ("Mary", "Aisha", "Lakisha", "Emily", "Mei"),
    "male": ("John", "Omar", "Jamal", "Greg", "Wei"),
}
_SAME_POSTCODE: Final = 0.8
_PAIRED: Final = 3


class Neighbourhoods(Courses):
    """`Courses` with gender, first name and postcode as additional traits."""

    name = "neighbourhoods"

    def __init__(self, seed: int) -> None:
        """Draw the additional traits from a separate random stream, so that demand equals that of `Courses`."""
        super().__init__(seed)
        self._people = np.random.default_rng((seed, 5))

    def _visit(self, at: datetime) -> Visit:
        visit = super()._visit(at)
        rng = self._people
        gender = "female" if rng.random() < _WOMEN[str(visit.traits["segment"])] else "male"
        typical = rng.random() < _SAME_POSTCODE
        traits: dict[str, float | str] = {
            **visit.traits,
            "gender": gender,
            "first_name": str(rng.choice(_NAMES[gender])),
            "postcode": "48205" if (gender == "female") == typical else "48009",
        }
        return replace(visit, traits=traits)


@dataclass(frozen=True, slots=True)
class Learned:
    """A policy that has learned, and later visits to evaluate it on."""

    policy: Pricesmith
    later: Sequence[Visit]

    def pairs(self) -> Iterator[Pair]:
        """Iterate over all pairs of a sample of the later visits."""
        for number, visit in enumerate(self.later[:: max(1, len(self.later) // (_PAIRED * 8))]):
            request = self.policy.request(visit).model_dump(mode="json", exclude_defaults=True)
            profile = {name: value for name, value in visit.traits.items() if name not in ("gender", "first_name")}
            yield from pairs_of({**request, "shopper": {"profile": profile}}, number)

    def quotes(self) -> Quotes:
        """Quote the later visits without exploration."""
        decisions = priced(self.policy.drafts, [self.policy.request(visit) for visit in self.later])
        ratio = np.asarray([one.price_minor / one.reference_minor for one in decisions])
        groups = {name: [str(visit.traits[name]) for visit in self.later] for name in ("gender", "postcode", "segment")}
        surplus = np.asarray([visit.surplus(price) for visit, price in zip(self.later, ratio.tolist(), strict=True)])
        return Quotes(np.arange(len(self.later)), ratio, surplus, groups)


def learn(models: Path, visits: int, later: int, progress: Progress) -> Learned:
    """Let Pricesmith learn the shop by exploring prices; the caller closes the policy."""
    world = Neighbourhoods(1)
    policy = Pricesmith(world, models)
    done = 0
    while done < visits:
        batch = world.visits(min(world.batch, visits - done))
        ratios = policy.prices(batch)
        policy.learn(batch, ratios, [world.settle(v, r) for v, r in zip(batch, ratios, strict=True)])
        done += len(batch)
        progress("simulated shop", done / visits)
    return Learned(policy, world.visits(later))
