"""The in-process models as an Inspect model provider: `pricesmith/strategist`, `/narrator`, `/understanding`, `/shop`.

A message is exactly what the model reads: the rendered prompt, the question. What stands beside the text (levers and
anchors, references) is the message's metadata. The shop is the whole service: it reads a request as JSON. One call at
a time, in a thread, so that the event loop stays free.
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
from eval.language.shop import Shop
from models.language.narrator import load_narrator
from models.questions.classifier import load_question_head
from models.registry.registry import ModelKind, Registry
from models.strategist.strategist import ProposalRequest, load_strategist
from models.strategist.strategy import Anchor, Lever

Metadata = Mapping[str, Any]
Answer = Callable[[str, Metadata], str]

THREADS: Final = 2


def in_process(name: str, models: Path) -> Model:
    """One of the in-process models over a folder of versions; the active ones are loaded."""
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
        """Load the model that `model_name` names from the folder of versions `models`."""
        super().__init__(model_name, base_url, api_key, [], config)
        self._answer = _LOADERS[model_name](Registry(Path(models)), Path(models))
        self._lock = Lock()

    async def generate(
        self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
    ) -> ModelOutput:
        """Answer the last message."""
        asked = input[-1]
        answer = await anyio.to_thread.run_sync(self._locked, asked.text, dict(asked.metadata or {}))
        return ModelOutput.from_content(model=self.model_name, content=answer)

    def max_connections(self) -> int:
        """One call at a time: the models are on this machine's cores."""
        return 1

    def _locked(self, text: str, metadata: Metadata) -> str:
        with self._lock:
            return self._answer(text, metadata)


def _strategist(registry: Registry, _models: Path) -> Answer:
    version = registry.active(ModelKind.STRATEGIST)
    strategist = load_strategist(registry.folder(ModelKind.STRATEGIST, version), version)

    def answer(text: str, metadata: Metadata) -> str:
        levers = frozenset(map(Lever, metadata["levers"]))
        asked = ProposalRequest(text, levers, frozenset(map(Anchor, metadata["anchors"])))
        return json.dumps(
            [
                {
                    "lever": one.strategy.lever.value,
                    "anchor": one.strategy.anchor.value,
                    "move_pct": one.strategy.move_pct,
                    "rounding": one.strategy.rounding.value,
                    "score": round(one.score, 3),
                }
                for one in strategist.propose([asked])[0]
            ]
        )

    return answer


def _narrator(registry: Registry, _models: Path) -> Answer:
    version = registry.active(ModelKind.NARRATOR)
    narrator = load_narrator(registry.folder(ModelKind.NARRATOR, version), version)
    return lambda text, metadata: " ".join(narrator.sentences(text, tuple(metadata["references"]), _as_it_comes))


def _as_it_comes(_sentence: str) -> bool:
    """The narrator's first try is judged: nothing is written again."""
    return True


def _understanding(registry: Registry, _models: Path) -> Answer:
    head = (
        registry.folder(ModelKind.UNDERSTANDING, registry.active(ModelKind.UNDERSTANDING)) / "understanding.safetensors"
    )
    classifier = Classifier(load_encoder(registry, THREADS), load_question_head(head))

    def answer(text: str, _metadata: Metadata) -> str:
        read = classifier.read(text)
        return json.dumps({"kind": read.kind.value, "probability": round(read.probability, 4)})

    return answer


def _shop(_registry: Registry, models: Path) -> Answer:
    shop = Shop(models)
    return lambda text, _metadata: json.dumps(shop.answer(json.loads(text)), ensure_ascii=False)


_LOADERS: Final[Mapping[str, Callable[[Registry, Path], Answer]]] = {
    "strategist": _strategist,
    "narrator": _narrator,
    "understanding": _understanding,
    "shop": _shop,
}
