"""The parts of one running service, as `agent.assembly` puts them together."""

from collections.abc import Mapping
from dataclasses import dataclass

from agent.arrivals import Arrivals
from agent.catalogue import Catalogue
from agent.domain.clock import Clock, StoreClock
from agent.explain.explainer import Explainer
from agent.learning import Learner
from agent.memory import OutcomeBook
from agent.pipeline import Pipeline
from agent.ranking import Ranker
from agent.rules import RuleBook
from agent.rules.kill_switch import KillSwitch
from agent.score import RowScorer
from agent.shoppers import ShopperBook
from agent.store import Store
from agent.store.data_folder import DataFolder
from agent.tokens import TokenSigner
from models.registry import Kind


@dataclass(frozen=True, slots=True)
class Parts:
    """What the service is made of; `agent.assembly` makes it."""

    folder: DataFolder
    in_use: Mapping[Kind, str]
    store: Store
    signer: TokenSigner
    clock: Clock
    store_clock: StoreClock
    catalogue: Catalogue
    shoppers: ShopperBook
    outcomes: OutcomeBook
    learner: Learner
    arrivals: Arrivals
    rules: RuleBook
    kill_switch: KillSwitch
    pipeline: Pipeline
    ranker: Ranker
    row_scorer: RowScorer
    explainer: Explainer
