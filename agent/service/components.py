"""The parts of one running service, as `agent.service.assembly` puts them together."""

from collections.abc import Mapping
from dataclasses import dataclass

from agent.domain.clock import Clock, StoreClock
from agent.explain.explainer import Explainer
from agent.pricing.pipeline import Pipeline
from agent.pricing.recommend import Ranker
from agent.pricing.score_at_prices import RowScorer
from agent.rules.book import RuleBook
from agent.rules.kill_switch import KillSwitch
from agent.service.auth.quote_tokens import TokenSigner
from agent.state.arrival_rates import Arrivals
from agent.state.catalogue import Catalogue
from agent.state.online_learner import Learner
from agent.state.outcome_index import OutcomeIndex
from agent.state.shopper_histories import ShopperHistories
from agent.store import Store
from agent.store.data_folder import DataFolder
from models.registry.registry import ModelKind


@dataclass(frozen=True, slots=True)
class Components:
    """What the service is made of; `agent.service.assembly` makes it."""

    folder: DataFolder
    in_use: Mapping[ModelKind, str]
    store: Store
    signer: TokenSigner
    clock: Clock
    store_clock: StoreClock
    catalogue: Catalogue
    shoppers: ShopperHistories
    outcomes: OutcomeIndex
    learner: Learner
    arrivals: Arrivals
    rules: RuleBook
    kill_switch: KillSwitch
    pipeline: Pipeline
    ranker: Ranker
    row_scorer: RowScorer
    explainer: Explainer
