"""Models of one service: the active versions, loaded from the data folder with every file checked."""

from collections.abc import Mapping
from dataclasses import dataclass

from agent.pricing.model_proposer import ModelProposer
from agent.service.settings import Settings
from agent.state.cached_encoder import CachedEncoder
from agent.state.loading import load_active_evaluator, load_active_strategist, load_encoder
from agent.state.shared_models import SharedModels
from models.encoder.encoder import Encoder
from models.errors import RegistryError
from models.evaluator.evaluator import Evaluator
from models.registry.registry import ModelKind, Registry, read_meta
from models.registry.versions import check_fit
from models.shopper.interest import InterestHead, load_interest
from models.shopper.item_affinity import Taste, load_taste
from models.shopper.ranking import RankingHead, load_ranking
from models.strategist.strategist import Strategist
from prompts import Prompt, load_prompt


@dataclass(frozen=True, slots=True)
class ServingModels:
    """The loaded models.

    Attributes:
        in_use: Active version by kind.
        encoder: Texts to unit vectors `(n, 384)`, recent ones cached.
        interest, item_affinity, ranking: Heads over encoder states, trained with the encoder.
        evaluator: EvaluatorInputs and prices to purchase probability, profit and satisfaction.
        proposer: The strategist with its prompt; proposes nothing when it is switched off or damaged.
        strategist: Version of the active strategist, loaded or not.
    """

    in_use: Mapping[ModelKind, str]
    encoder: CachedEncoder
    interest: InterestHead
    item_affinity: Taste
    ranking: RankingHead
    evaluator: Evaluator
    proposer: ModelProposer
    strategist: str


def load_models(
    settings: Settings, registry: Registry, shared: SharedModels | None, *, starting: bool
) -> ServingModels:
    """Load the active versions; encoder and strategist only where `shared` does not hold them already.

    Args:
        settings: Name the strategist's prompt, and whether there is a strategist at all.
        registry: Of the data folder.
        shared: Models of other merchants in this process.
        starting: Whether the service starts; a damaged strategist then leaves it without one.

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
        proposer=_proposer(settings, registry, shared, starting=starting),
        strategist=registry.active(ModelKind.STRATEGIST),
    )


def _proposer(settings: Settings, registry: Registry, shared: SharedModels | None, *, starting: bool) -> ModelProposer:
    """The strategist with its prompt.

    Raises:
        RegistryError: It was trained on another prompt, or a damaged version would replace a running one.
    """
    prompt = load_prompt("strategist", settings.prompt_version)
    if not settings.language_model:
        return ModelProposer(None, prompt)
    try:
        read_meta(registry.folder(ModelKind.STRATEGIST, registry.active(ModelKind.STRATEGIST)))
    except RegistryError as error:
        if not starting:
            raise
        without = ModelProposer(None, prompt)
        without.trouble = str(error)
        return without
    return ModelProposer(_strategist(registry, prompt, shared), prompt)


def _encoder(registry: Registry, threads: int, shared: SharedModels | None) -> Encoder:
    if shared is None:
        return load_encoder(registry, threads)
    folder = registry.folder(ModelKind.ENCODER, registry.active(ModelKind.ENCODER))
    return shared.get(folder, lambda: load_encoder(registry, threads))


def _strategist(registry: Registry, prompt: Prompt, shared: SharedModels | None) -> Strategist:
    if shared is None:
        return load_active_strategist(registry, prompt)
    folder = registry.folder(ModelKind.STRATEGIST, registry.active(ModelKind.STRATEGIST))
    return shared.get(folder, lambda: load_active_strategist(registry, prompt))
