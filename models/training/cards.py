"""Model cards: what a version is, what it was trained on, how it measured, what it may not be used for."""

from models.journey import DEMO
from models.registry import Kind, ModelMeta

_WHAT = {
    Kind.ENCODER: "MiniLM (all-MiniLM-L6-v2) with a LoRA delta, and the interest head on its states",
    Kind.EVALUATOR: "purchase probability (monotone in price) and satisfaction heads with a last-layer posterior",
    Kind.UNDERSTANDING: "a softmax head over encoder states, character n-grams and concepts, for kinds of questions",
    Kind.NARRATOR: "SmolLM2-135M-Instruct, whole, with a LoRA delta that writes explanations, references for values",
    Kind.STRATEGIST: "the first layers of SmolLM2-135M-Instruct with a LoRA delta, strategy tokens and a number reader",
}


def _caution(meta: ModelMeta) -> str:
    if not meta.trained_on.startswith(DEMO):
        return "The data and these weights are the merchant's own; they say nothing of other shops."
    return (
        "The data is simulated; no figure here says anything of real shoppers, and the weights are for demonstration "
        "and as a starting point for a merchant's own training."
    )


def card(meta: ModelMeta) -> str:
    """The card as Markdown, from `meta.json` alone."""
    metrics = "\n".join(f"| {name} | {value:.5g} |" for name, value in meta.metrics.items())
    config = ", ".join(f"{name} {value}" for name, value in meta.config.items())
    measured_on = "Validation (weeks 41-44)" if meta.trained_on.startswith(DEMO) else "The latest outcomes"
    requires = ", ".join(f"{kind} {version}" for kind, version in meta.requires.items()) or "nothing else"
    return (
        f"# {meta.kind} {meta.version}\n\n"
        f"{_WHAT[meta.kind]}.\n\n"
        f"Trained on: {meta.trained_on}. {_caution(meta)}\n\n"
        f"Licence: Apache-2.0, as the base weights. Needs: {requires}. Config: {config}.\n\n"
        f"{measured_on}:\n\n| metric | value |\n|---|---|\n{metrics}\n"
    )
