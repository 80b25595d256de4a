"""Training inputs of online effects, light enough for decisions to carry."""

from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import AliasChoices, Field

CROSSED: Final = "\x1f"
"""Joins the names of two effects to that of their product; texts of shops have no control characters."""


@dataclass(frozen=True, slots=True)
class Term:
    """One effect in a situation.

    Attributes:
        name: `field=word`, `field@width:node` for a basis function of a number, a plain name, or two of these joined by
            `CROSSED`.
        value: Regressor value, 1 for words.
        level_sd, slope_sd: Prior standard deviations, in logits and in units of the slope before softplus.
        independent: One of very many (a product), which has a posterior of its own where the joint covariance has no
            room; read as `alone` in older records.
    """

    name: str
    value: float
    level_sd: float
    slope_sd: float
    independent: Annotated[bool, Field(validation_alias=AliasChoices("independent", "alone"))] = False

    @property
    def group(self) -> str:
        """Name of the effects that share a prior: words of one field, or basis functions of one number and width."""
        return group_of(self.name)

    def crossed(self, other: "Term", sd: tuple[float, float]) -> "Term":
        """The product of two effects, as an effect with its own prior standard deviations."""
        return Term(f"{self.name}{CROSSED}{other.name}", self.value * other.value, *sd)


def group_of(name: str) -> str:
    """Group of an effect by its name, as in `Term.group`."""
    if CROSSED in name:
        return CROSSED.join(map(group_of, name.split(CROSSED)))
    return name.partition("=")[0] if "=" in name else name.rpartition(":")[0] or name


@dataclass(frozen=True, slots=True)
class Lesson:
    """Training input recorded with a decision, from which an outcome can be learned later.

    Attributes:
        level, slope: Logit at the reference price and slope before softplus, of the evaluator without effects.
        rest: All other parts of the logit at the price shown.
        log_ratio: log(price / reference).
        terms: The situation's effects.
        text: Values of its text effects (`text_effects.py`), empty where they do not enter.
        text_sd: Their prior standard deviations of level and slope.
    """

    level: float
    slope: float
    rest: float
    log_ratio: float
    terms: tuple[Term, ...]
    text: tuple[float, ...] = ()
    text_sd: tuple[float, float] = (0.0, 0.0)
