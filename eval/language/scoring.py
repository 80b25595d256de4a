"""Construction of Inspect scores from problems by measure."""

from collections.abc import Mapping, Sequence

from inspect_ai.scorer import Score

from eval.language.texts import unsupported_numbers


def score_of(problems: Mapping[str, Sequence[str]], answer: str) -> Score:
    """Build a score from the problems by measure: 1 without problems, else 0."""
    return Score(
        value={name: 0 if found else 1 for name, found in problems.items()},
        answer=answer,
        explanation="; ".join(one for found in problems.values() for one in found),
    )


def number_problems(text: str, evidence: Sequence[str]) -> list[str]:
    """Describe each number of a text that is not in its evidence."""
    return [f"{number} is not in the facts" for number in unsupported_numbers(text, evidence)]
