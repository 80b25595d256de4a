"""Processor time of online learning per outcome, one outcome at a time as in `Service.add_outcomes`."""

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
    """Milliseconds of processor time per outcome, including the read of earlier reports on its quote."""

    outcomes: int
    p50_ms: float
    p99_ms: float


def measure_learning(models: Path, outcomes: int = OUTCOMES) -> Learning:
    """Quote a simulated shop, then store and learn each outcome with a new learner.

    Raises:
        RuntimeError: The learner learned fewer outcomes than were reported.
    """
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
                offers = store.offers([decision.id])  # the service reads it too, to refuse outcomes of unknown quotes
                store.record_outcomes([outcome])
                began = thread_time()
                learner.catch_up(store, offers)
                spent.append(1e3 * (thread_time() - began))
            if learner.effects.lessons != outcomes:
                raise RuntimeError(f"the learner learned {learner.effects.lessons} of {outcomes} outcomes")
    finally:
        policy.close()
    return Learning(outcomes, round(float(np.median(spent)), 2), round(float(np.percentile(spent, 99)), 2))
