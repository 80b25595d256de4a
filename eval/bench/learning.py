"""What learning adds to posting an outcome: processor time, one outcome at a time, as `Service.add_outcomes` learns."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from time import thread_time
from typing import Final

import numpy as np

from agent.domain.records import OutcomeRecord, OutcomeType
from agent.service.opening import open_store
from agent.state.online_learner import Learner
from eval.policy.pricesmith import Pricesmith
from eval.simulators import Courses
from models.registry.registry import ModelKind, Registry

OUTCOMES: Final = 200


@dataclass(frozen=True, slots=True)
class Learning:
    """Milliseconds of processor time an outcome, reading what was reported of its quote before included."""

    outcomes: int
    p50_ms: float
    p99_ms: float


def measure_learning(models: Path, outcomes: int = OUTCOMES) -> Learning:
    """Quotes of a simulated shop, then each one's outcome stored and learned by a learner that begins with nothing."""
    policy = Pricesmith(Courses(1), models)
    try:
        policy.prices(policy.world.visits(outcomes))
        spent = []
        with open_store(policy.settings) as store, TemporaryDirectory() as folder:
            learner = Learner(Path(folder) / "learning", Registry(models).active(ModelKind.EVALUATOR), in_domain=False)
            for number, (decision, _) in enumerate(store.logged()):
                kind = OutcomeType.PURCHASED if number % 3 == 0 else OutcomeType.DECLINED
                at = decision.at + timedelta(minutes=1)
                outcome = OutcomeRecord(
                    outcome_id=f"{decision.id}:{kind}",
                    shopper_id=None,
                    product_id=decision.product_id,
                    currency=decision.currency,
                    price_minor=decision.price_minor,
                    reference_minor=decision.reference_minor,
                    type=kind,
                    quantity=1,
                    at=at,
                    quote_id=decision.id,
                )
                offers = store.offers([decision.id])  # read in any case: an outcome of no quote is refused
                store.record_outcomes([outcome])
                began = thread_time()
                learner.catch_up(store, offers)
                spent.append(1e3 * (thread_time() - began))
            if learner.effects.lessons != outcomes:
                raise RuntimeError(f"{learner.effects.lessons} of {outcomes} outcomes taught something")
    finally:
        policy.close()
    return Learning(outcomes, round(float(np.median(spent)), 2), round(float(np.percentile(spent, 99)), 2))
