"""Model cards: description, training data, metrics and limits of a version."""

from typing import Final

from models.datasets.complete_journey import DEMO
from models.evaluator.context_priors import CONTEXT
from models.evaluator.satisfaction import SatisfactionSource
from models.registry.registry import ModelKind, ModelMeta
from models.training.identified_by import PRIORS, SATISFACTION

OWN_TEXTS: Final = "texts written for Pricesmith"

_DESCRIPTION = {
    ModelKind.ENCODER: "a sentence encoder (base in its config) with a LoRA delta, and the interest head on its states",
    ModelKind.EVALUATOR: "purchase probability (monotone in price) and satisfaction heads with a last-layer posterior",
    ModelKind.UNDERSTANDING: (
        "a softmax head over encoder states, character n-grams and concepts, for kinds of questions"
    ),
    ModelKind.NARRATOR: (
        "SmolLM2-135M-Instruct with a LoRA delta that writes explanations with references in place of values"
    ),
    ModelKind.STRATEGIST: (
        "the first layers of SmolLM2-135M-Instruct with a LoRA delta, strategy tokens and a numeric head"
    ),
}


def _origin(meta: ModelMeta) -> tuple[str, str]:
    """Caution about the training data, and the name of the data that the metrics were measured on."""
    if meta.trained_on == OWN_TEXTS:
        return "They contain no text by shoppers or merchants.", "Held-out texts"
    if not meta.trained_on.startswith(DEMO):
        return (
            "The data and these weights belong to the merchant; the metrics do not apply to other shops.",
            "The latest outcomes",
        )
    return (
        "The data is simulated: no figure here describes real shoppers. The weights are for demonstration and as a "
        "starting point for a merchant's own training.",
        "Validation (weeks 41-44)",
    )


def _known_from(meta: ModelMeta) -> str:
    """Source of what an evaluator knows of satisfaction, and the constants that it never learned."""
    if meta.kind is not ModelKind.EVALUATOR:
        return ""
    source = str(meta.config.get(SATISFACTION, SatisfactionSource.DEMO_STORE.value))
    told = {
        SatisfactionSource.DEMO_STORE: "repurchase within eight weeks in the demo store, a prior in other shops",
        SatisfactionSource.OWN_OUTCOMES: "returns, ratings or repurchases that the shop reported",
        SatisfactionSource.PRIOR: "a prior, as the shop reported nothing of its sales that tells of it",
    }[SatisfactionSource(source)]
    return f"\nSatisfaction: {told}. Stated priors: {meta.config.get(PRIORS, ', '.join(CONTEXT))}.\n"


def card(meta: ModelMeta) -> str:
    """Render the card as Markdown from the metadata."""
    caution, measured_on = _origin(meta)
    metrics = "\n".join(f"| {name} | {value:.5g} |" for name, value in meta.metrics.items())
    figures = f"\n{measured_on}:\n\n| metric | value |\n|---|---|\n{metrics}\n" if metrics else ""
    config = ", ".join(f"{name} {value}" for name, value in meta.config.items())
    requires = ", ".join(f"{kind} {version}" for kind, version in meta.requires.items()) or "nothing else"
    return (
        f"# {meta.kind} {meta.version}\n\n"
        f"{_DESCRIPTION[meta.kind]}.\n\n"
        f"Trained on: {meta.trained_on}. {caution}\n\n"
        f"Licence: Apache-2.0; base weights keep their own. Requires: {requires}. Config: {config}.\n"
        f"{_known_from(meta)}{figures}"
    )
