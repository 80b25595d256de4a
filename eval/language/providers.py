"""In-process models as an Inspect model provider: `pricesmith/strategist`, `/narrator`, `/interpreter` and others.

A message is the exact input of the model: the rendered prompt or the question. Other inputs (levers and anchors,
references) are its metadata. The shop is the whole service; its message is a request as JSON. Calls run one at a time
in a thread, so that the event loop is not blocked.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any, Final

import anyio
from inspect_ai.model import ChatMessage, GenerateConfig, Model, ModelAPI, ModelOutput, get_model, modelapi
from inspect_ai.tool import ToolChoice, ToolInfo

from agent.explain.understanding import Classifier
from agent.state.loading import load_encoder
from eval.language.question_shop import read_question
from eval.language.shop import Shop
from models.language.narrator import load_narrator
from models.questions.classifier import load_question_head
from models.registry.registry import ModelKind, Registry
from models.strategist.proposals import ProposalRequest
from models.strategist.strategist import load_strategist
from models.strategist.strategy import Anchor, Lever

Metadata = Mapping[str, Any]
Answer = Callable[[str, Metadata], str]

THREADS: Final = 2


def in_process(name: str, models: Path) -> Model:
    """Load the active version of an in-process model from the folder of versions `models`."""
    return get_model(f"pricesmith/{name}", models=str(models), memoize=False)


@modelapi(name="pricesmith")
class InProcess(ModelAPI):
    """A model in this process, or the whole service."""

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),  # noqa: B008 - the signature that Inspect calls
        models: str = "data/models",
    ) -> None:
        """Load the active version of `model_name` from the folder of versions `models`."""
        super().__init__(model_name, base_url, api_key, [], config)
        self._answer = _LOADERS[model_name](Registry(Path(models)), Path(models))
        self._lock = Lock()

    async def generate(
        self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
    ) -> ModelOutput:
        """Answer the last message."""
        message = input[-1]
        answer = await anyio.to_thread.run_sync(self._locked, message.text, dict(message.metadata or {}))
        return ModelOutput.from_content(model=self.model_name, content=answer)

    def max_connections(self) -> int:
        """Limit to one call at a time, since the models share the processor cores of this machine."""
        return 1

    def _locked(self, text: str, metadata: Metadata) -> str:
        with self._lock:
            return self._answer(text, metadata)


def _strategist(registry: Registry, _models: Path) -> Answer:
    version = registry.active(ModelKind.STRATEGIST)
    strategist = load_strategist(registry.folder(ModelKind.STRATEGIST, version), version)

    def answer(text: str, metadata: Metadata) -> str:
        levers = frozenset(map(Lever, metadata["levers"]))
        request = ProposalRequest(text, levers, frozenset(map(Anchor, metadata["anchors"])))
        return json.dumps(
            [
                {
                    "lever": one.strategy.lever.value,
                    "anchor": one.strategy.anchor.value,
                    "move_pct": one.strategy.move_pct,
                    "rounding": one.strategy.rounding.value,
                    "score": round(one.score, 3),
                }
                for one in strategist.propose([request])[0]
            ]
        )

    return answer


def _narrator(registry: Registry, _models: Path) -> Answer:
    version = registry.active(ModelKind.NARRATOR)
    narrator = load_narrator(registry.folder(ModelKind.NARRATOR, version), version)
    return lambda text, metadata: " ".join(narrator.sentences(text, tuple(metadata["references"]), _accept))


def _accept(_sentence: str) -> bool:
    """Accept every sentence, so that the narrator's first attempt is scored."""
    return True


def _classifier(registry: Registry) -> Classifier:
    head = registry.active_folder(ModelKind.UNDERSTANDING) / "understanding.safetensors"
    return Classifier(load_encoder(registry, THREADS), load_question_head(head))


def _interpreter(registry: Registry, _models: Path) -> Answer:
    classifier = _classifier(registry)
    return lambda text, metadata: json.dumps(read_question(classifier, text, metadata["door"]))


def _understanding(registry: Registry, _models: Path) -> Answer:
    classifier = _classifier(registry)

    def answer(text: str, _metadata: Metadata) -> str:
        intent = classifier.read(text)
        return json.dumps({"kind": intent.kind.value, "probability": round(intent.probability, 4)})

    return answer


def _shop(_registry: Registry, models: Path) -> Answer:
    shop = Shop(models)
    return lambda text, _metadata: json.dumps(shop.answer(json.loads(text)), ensure_ascii=False)


_LOADERS: Final[Mapping[str, Callable[[Registry, Path], Answer]]] = {
    "strategist": _strategist,
    "narrator": _narrator,
    "understanding": _understanding,
    "interpreter": _interpreter,
    "shop": _shop,
}
