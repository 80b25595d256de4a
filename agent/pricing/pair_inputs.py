"""Pairs as the evaluator's inputs: states, evidence and learned effects worked out once, joined for some pairs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.pricing.evaluator_inputs import EvaluatorReader, flags_of
from agent.pricing.pairs import Pairs
from agent.pricing.retrieve import Retriever
from agent.pricing.situation_reader import SituationReader
from models.arrays import Floats
from models.evaluator.evaluator import Evaluator, EvaluatorInputs
from models.evaluator.online_effects import Shift
from models.evaluator.promotion import Flags
from models.evaluator.text_effects import TextEffects
from models.shopper.interest import InterestHead

States = NDArray[np.float32]
Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class PairStates:
    """Encoder states of distinct shoppers, products and categories, `(..., dim)`.

    Attributes:
        category_of: Of each product, its category.
        affinity: Log affinity of each pair, `(n,)`.
        features: Of each pair, `(n, k)`.
    """

    head: InterestHead
    shopper: States
    product: States
    category: States
    category_of: Rows
    affinity: States
    features: States

    def interest(self, shopper: States, sold: Rows, features: States) -> States:
        """Interest logits of shoppers in products, for some pairs."""
        return self.head.of_features(shopper, self.category[self.category_of[sold]], features)


@dataclass(frozen=True, slots=True)
class PairInputs:
    """Everything the evaluator reads of n pairs, what pairs share kept once.

    Attributes:
        visit_of, sold_of, beside_of: Of each pair, its visit, its product, and its other effects in `shift`.
        context: Intent, market trend and log price ratio of the cheapest competitor, `(n, 3)`.
        promotion: Flags of each visit, `(visits, 2)`.
        shift: Learned effects, of each product and then of each set of other effects.
        text: Text effects of each product, None where they do not enter.
        tried: Ranges of prices by product, `(products, 2)`, None where none is known.
        satisfied: Effects on satisfaction by product, `(products, factors, 2)`, None where none are known.
        reference, cost, quantity: `(n,)`, amounts in minor units.
    """

    evaluator: Evaluator
    out_of_domain: bool
    states: PairStates
    visit_of: Rows
    sold_of: Rows
    beside_of: Rows
    evidence: States
    familiarity: States
    context: States
    promotion: Flags
    shift: Shift
    text: TextEffects | None
    tried: Floats | None
    satisfied: Floats | None
    reference: Floats
    cost: Floats
    quantity: Floats

    def situations(self, pairs: Rows) -> EvaluatorInputs:
        """The evaluator's inputs of some pairs."""
        states, sold = self.states, self.sold_of[pairs]
        shopper, features = states.shopper[self.visit_of[pairs]], states.features[pairs]
        intent, trend, rival = self.context[pairs].T
        return EvaluatorInputs(
            features=features,
            evidence=self.evidence[pairs],
            interest=states.interest(shopper, sold, features),
            affinity=states.affinity[pairs],
            shopper=shopper,
            product=states.product[sold],
            familiarity=self.familiarity[pairs],
            intent=intent,
            trend=trend,
            rival_log_ratio=rival,
            promotion=self.promotion[self.visit_of[pairs]],
            shift=self._shift(sold, self.beside_of[pairs]),
            text=None if self.text is None else self.text.of_rows(sold),
            tried=None if self.tried is None else self.tried[sold],
            satisfied=None if self.satisfied is None else self.satisfied[sold],
            out_of_domain=self.out_of_domain,
        )

    def _shift(self, sold: Rows, beside: Rows) -> Shift:
        whole = self.shift
        return Shift(
            whole.level[sold] + whole.level[beside],
            whole.slope[sold] + whole.slope[beside],
            whole.level_draws[sold] + whole.level_draws[beside],
            whole.slope_draws[sold] + whole.slope_draws[beside],
        )


@dataclass(frozen=True, slots=True)
class PairInputsReader:
    """Works out what the evaluator reads of pairs."""

    reader: SituationReader
    retriever: Retriever

    def read(self, pairs: Pairs) -> PairInputs:
        """Everything the evaluator reads of pairs."""
        inputs: EvaluatorReader = self.retriever.reader
        stamp = self.retriever.stamp()
        states = self._states(pairs)
        evidence = self.retriever.pair_evidence(pairs, states.product, stamp)
        visit_of, sold_of = pairs.places
        reference = pairs.references[sold_of]
        text = inputs.text(states.product)
        return PairInputs(
            evaluator=inputs.evaluator,
            out_of_domain=not inputs.learner.in_domain,
            states=states,
            visit_of=visit_of,
            sold_of=sold_of,
            beside_of=len(pairs.sold) + np.asarray(pairs.beside_of, np.intp),
            evidence=evidence.matrix,
            familiarity=evidence.familiarity,
            context=_context(pairs, visit_of, reference),
            promotion=flags_of([visit.promotion for visit in pairs.visits]),
            shift=inputs.learner.shift([*(one.terms for one in pairs.sold), *pairs.beside], text),
            text=text,
            tried=inputs.tried([one.subject for one in pairs.sold]),
            satisfied=inputs.satisfied([one.subject for one in pairs.sold]),
            reference=reference,
            cost=np.asarray(pairs.costs, np.float64),
            quantity=np.asarray(pairs.quantities, np.float64),
        )

    def _states(self, pairs: Pairs) -> PairStates:
        reader = self.reader
        product = reader.catalogue.states([one.product for one in pairs.sold])
        buyers, products = [one.shopper.past.buyer for one in pairs.visits], [o.subject.product for o in pairs.sold]
        return PairStates(
            head=reader.interest,
            shopper=reader.shopper_states([one.shopper.past.text for one in pairs.visits]),
            product=product,
            category=reader.catalogue.category_states(list(pairs.categories)),
            category_of=np.asarray(pairs.category_of, np.intp),
            affinity=reader.taste.affinities(buyers, products, product, pairs.places),
            features=pairs.features.matrix(),
        )


def _context(pairs: Pairs, visit_of: Rows, reference: Floats) -> States:
    """Intent, trend and rival's log ratio, nan without a rival's price, `(n, 3)`."""
    rivals: Sequence[float] = [visit.rivals.lowest_minor or np.nan for visit in pairs.visits]
    trend = np.asarray([visit.trend for visit in pairs.visits], np.float64)
    ratio = np.log(np.asarray(rivals, np.float64)[visit_of] / reference)
    return np.stack([pairs.intents, trend[visit_of], ratio], axis=1).astype(np.float32)
