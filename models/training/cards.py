"""Model cards: what a version is, what it was trained on, how it measured, what it may not be used for."""

from typing import Final

from models.datasets.complete_journey import DEMO
from models.registry.registry import ModelKind, ModelMeta

OWN_TEXTS: Final = "texts written for Pricesmith"

_WHAT = {
    ModelKind.ENCODER: "MiniLM (all-MiniLM-L6-v2) with a LoRA delta, and the interest head on its states",
    ModelKind.EVALUATOR: "purchase probability (monotone in price) and satisfaction heads with a last-layer posterior",
    ModelKind.UNDERSTANDING: (
        "a softmax head over encoder states, character n-grams and concepts, for kinds of questions"
    ),
    ModelKind.NARRATOR: (
        "SmolLM2-135M-Instruct, whole, with a LoRA delta that writes explanations, references for values"
    ),
    ModelKind.STRATEGIST: (
        "the first layers of SmolLM2-135M-Instruct with a LoRA delta, strategy tokens and a number reader"
    ),
}


def _origin(meta: ModelMeta) -> tuple[str, str]:
    """What the data says nothing of, and what the figures were measured on."""
    if meta.trained_on == OWN_TEXTS:
        return "No shopper's or merchant's words are in them.", "Held-out texts"
    if not meta.trained_on.startswith(DEMO):
        return (
            "The data and these weights are the merchant's own; they say nothing of other shops.",
            "The latest outcomes",
        )
    return (
        "The data is simulated; no figure here says anything of real shoppers, and the weights are for demonstration "
        "and as a starting point for a merchant's own training.",
        "Validation (weeks 41-44)",
    )


def card(meta: ModelMeta) -> str:
    """The card as Markdown, from `meta.json` alone."""
    caution, measured_on = _origin(meta)
    metrics = "\n".join(f"| {name} | {value:.5g} |" for name, value in meta.metrics.items())
    figures = f"\n{measured_on}:\n\n| metric | value |\n|---|---|\n{metrics}\n" if metrics else ""
    config = ", ".join(f"{name} {value}" for name, value in meta.config.items())
    requires = ", ".join(f"{kind} {version}" for kind, version in meta.requires.items()) or "nothing else"
    return (
        f"# {meta.kind} {meta.version}\n\n"
        f"{_WHAT[meta.kind]}.\n\n"
        f"Trained on: {meta.trained_on}. {caution}\n\n"
        f"Licence: Apache-2.0, as the base weights. Needs: {requires}. Config: {config}.\n"
        f"{figures}"
    )
