"""The evaluator's inputs: situations, encoder states, evidence and what online learning added, joined into arrays."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.domain.request import Promotion
from agent.pricing.flow import Encoded, Evidence
from agent.pricing.situation import Situation
from agent.state.online_learner import Learner
from models.arrays import Floats
from models.evaluator.evaluator import Evaluator, EvaluatorInputs, Represented
from models.evaluator.evidence import evidence_matrix
from models.evaluator.promotion import Flags, promotion_flags
from models.evaluator.text_effects import TextEffects
from models.shopper.features import Subject


@dataclass(frozen=True, slots=True)
class EvaluatorReader:
    """Joins the inputs of one evaluator, shifted by what one learner learned from outcomes since its training."""

    evaluator: Evaluator
    learner: Learner

    def represent(self, seen: Sequence[Situation], encoded: Encoded, evidence: Evidence) -> Represented:
        """Situations after the evaluator's body, one row each."""
        return self.evaluator.represent(self.join(seen, encoded, evidence))

    def join(self, seen: Sequence[Situation], encoded: Encoded, evidence: Evidence) -> EvaluatorInputs:
        """Everything the evaluator reads, one row a situation."""
        rivals = [np.log(o.market.rival_minor / o.reference_minor) if o.market.rival_minor else np.nan for o in seen]
        text = self.text(encoded.product)
        return EvaluatorInputs(
            features=encoded.features,
            evidence=evidence_matrix(evidence.outcomes, self.evaluator.base_rate),
            interest=encoded.interest_logit,
            affinity=encoded.affinity,
            shopper=encoded.shopper,
            product=encoded.product,
            familiarity=evidence.familiarity,
            intent=np.asarray([o.intent for o in seen], np.float32),
            trend=np.asarray([o.market.trend for o in seen], np.float32),
            rival_log_ratio=np.asarray(rivals, np.float32),
            promotion=flags_of([o.market.promotion for o in seen]),
            shift=self.learner.shift([o.terms for o in seen], text),
            text=text,
            tried=self.tried([o.subject for o in seen]),
            satisfied=self.satisfied([o.subject for o in seen]),
            out_of_domain=not self.learner.in_domain,
        )

    def text(self, products: NDArray[np.float32]) -> TextEffects | None:
        """Text effects of product states `(n, 384)`; None where the evaluator's own layers were trained on this store.

        With effects fitted in a training on own outcomes, those of the text are among them.
        """
        projection = self.evaluator.weights.text
        if projection is None or (self.learner.in_domain and self.learner.start is None):
            return None
        return projection.of(products)

    def tried(self, subjects: Sequence[Subject]) -> Floats | None:
        """Ranges of the prices that were ever offered, `(n, 2)`; None where the evaluator knows none."""
        known = self.evaluator.weights.tried
        if known is None:
            return None
        return np.asarray([known.of(one.product, one.category) for one in subjects], np.float64).reshape(-1, 2)

    def satisfied(self, subjects: Sequence[Subject]) -> Floats | None:
        """Effects on satisfaction, `(n, factors, 2)`; None where nothing was learned of it."""
        known = self.evaluator.weights.satisfied
        return None if known is None else known.effects_of([(one.product, one.category) for one in subjects])


def flags_of(promotions: Sequence[Promotion | None]) -> Flags:
    """Promotions as the evaluator reads them, `(n, 2)`."""
    return promotion_flags([(None, None) if one is None else (one.display, one.mailer) for one in promotions])
