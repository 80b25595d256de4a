"""Models of one service: the active versions, loaded from the data folder with every file checked."""

from collections.abc import Mapping
from dataclasses import dataclass

from agent.service.settings import Settings
from agent.state.cached_encoder import CachedEncoder
from agent.state.loading import load_active_evaluator, load_encoder
from agent.state.shared_models import SharedModels
from agent.store import StoreKind
from models.encoder.encoder import Encoder
from models.evaluator.evaluator import Evaluator
from models.registry.registry import ModelKind, Registry, parse_meta
from models.registry.versions import check_fit
from models.shopper.interest import InterestHead, load_interest
from models.shopper.item_affinity import Taste, load_taste
from models.shopper.ranking import RankingHead, load_ranking
from models.training.identified_by import IDENTIFIED_BY


@dataclass(frozen=True, slots=True)
class ServingModels:
    """The loaded models.

    Attributes:
        in_use: Active version by kind.
        encoder: Texts to unit vectors `(n, dim)`, recent ones cached.
        interest, item_affinity, ranking: Heads over encoder states, trained with the encoder.
        evaluator: EvaluatorInputs and prices to purchase probability, profit and satisfaction.
        strategist: Version of the active strategist, which another process loads.
    """

    in_use: Mapping[ModelKind, str]
    encoder: CachedEncoder
    interest: InterestHead
    item_affinity: Taste
    ranking: RankingHead
    evaluator: Evaluator
    strategist: str


def identified_by(registry: Registry, version: str, kind: StoreKind) -> str:
    """Source of an evaluator's knowledge of the price response: an `IdentifiedBy`, `demo_store` or `prior`.

    Versions that were not trained on own outcomes know the demo store's response; of other shops they have a prior.
    """
    meta = parse_meta(registry.folder(ModelKind.EVALUATOR, version))
    return str(meta.config.get(IDENTIFIED_BY, "demo_store" if kind is StoreKind.DEMO else "prior"))


def load_models(settings: Settings, registry: Registry, shared: SharedModels | None) -> ServingModels:
    """Load the active versions; the encoder only where `shared` does not hold it already.

    Args:
        settings: Say how many threads a model may use.
        registry: Of the data folder.
        shared: Models of other merchants in this process.

    Raises:
        RegistryError: A version is missing or damaged, or versions do not fit together.
    """
    in_use = registry.in_use()
    check_fit(registry)
    evaluator = load_active_evaluator(registry)
    encoder = CachedEncoder(_encoder(registry, settings.threads, shared))
    heads = registry.folder(ModelKind.ENCODER, encoder.version)
    return ServingModels(
        in_use=in_use,
        encoder=encoder,
        interest=load_interest(heads / "interest.safetensors"),
        item_affinity=load_taste(heads / "taste.safetensors"),
        ranking=load_ranking(heads / "ranking.safetensors"),
        evaluator=evaluator,
        strategist=registry.active(ModelKind.STRATEGIST),
    )


def _encoder(registry: Registry, threads: int, shared: SharedModels | None) -> Encoder:
    if shared is None:
        return load_encoder(registry, threads)
    folder = registry.active_folder(ModelKind.ENCODER)
    return shared.get(folder, lambda: load_encoder(registry, threads))
