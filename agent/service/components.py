"""Components of a running service; `agent.service.assembly` builds them."""

from collections.abc import Mapping
from dataclasses import dataclass

from agent.domain.clock import Clock, StoreClock
from agent.explain.explainer import Explainer
from agent.pricing.model_proposer import ModelProposer
from agent.pricing.pipeline import Pipeline
from agent.pricing.recommend import Ranker
from agent.pricing.score_at_prices import RowScorer
from agent.pricing.standing_quotes import StandingQuotes
from agent.rules.book import RuleBook
from agent.rules.kill_switch import KillSwitch
from agent.service.auth.quote_tokens import TokenSigner
from agent.state.arrival_rates import Arrivals
from agent.state.catalogue import Catalogue
from agent.state.online_learner import Learner
from agent.state.outcome_index import OutcomeIndex
from agent.state.shopper_histories import ShopperHistories
from agent.state.store_follower import StoreFollower
from agent.store import Store, StoreKind
from agent.store.data_folder import DataFolder
from agent.store.folder_lock import FolderLock
from models.registry.registry import ModelKind


@dataclass(frozen=True, slots=True)
class Components:
    """Components of one running service.

    Attributes:
        folder: Models, indexes, keys and the embedded database.
        lead: Held by the process that does what only one process of a folder should do.
        in_use: Model versions by kind.
        store_kind: Whether the store is the demo's or a shop's own.
        signer: Signs quote tokens and the head of the audit log.
        clock: Dates quotes; `store_clock` maps its times to the calendar of a demo store.
        catalogue, shoppers, outcomes, learner, arrivals: Memory, rebuilt from the store.
        follower: Brings catalogue and shoppers up to the store.
        strategies: What the language model wrote, and the writer of what is not known.
        rules, kill_switch: Controls of the merchant over prices.
        standing: Answers that may be given again.
        ranker: Chooses products for recommendations.
        row_scorer: Scores at given prices.
        explainer: Answers questions.
    """

    folder: DataFolder
    lead: FolderLock
    in_use: Mapping[ModelKind, str]
    store: Store
    store_kind: StoreKind
    signer: TokenSigner
    clock: Clock
    store_clock: StoreClock
    catalogue: Catalogue
    shoppers: ShopperHistories
    outcomes: OutcomeIndex
    learner: Learner
    arrivals: Arrivals
    follower: StoreFollower
    strategies: ModelProposer
    rules: RuleBook
    kill_switch: KillSwitch
    pipeline: Pipeline
    standing: StandingQuotes
    ranker: Ranker
    row_scorer: RowScorer
    explainer: Explainer
