"""Training inputs of online effects, light enough for decisions to carry."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import AliasChoices, Field


@dataclass(frozen=True, slots=True)
class Term:
    """One effect in a situation.

    Attributes:
        name: `field=word`, `field@width:node` for a basis function of a number, or a plain name.
        value: Regressor value, 1 for words.
        level_sd, slope_sd: Prior standard deviations, in logits and in units of the slope before softplus.
        independent: Has a posterior of its own, outside the joint covariance; read as `alone` in older records.
    """

    name: str
    value: float
    level_sd: float
    slope_sd: float
    independent: Annotated[bool, Field(validation_alias=AliasChoices("independent", "alone"))] = False

    @property
    def group(self) -> str:
        """Name of the effects that share a prior: words of one field, or basis functions of one number and width."""
        return self.name.partition("=")[0] if "=" in self.name else self.name.rpartition(":")[0] or self.name


@dataclass(frozen=True, slots=True)
class Lesson:
    """Training input recorded with a decision, from which an outcome can be learned later.

    Attributes:
        level, slope: Logit at the reference price and slope before softplus, of the evaluator without effects.
        rest: All other parts of the logit at the price shown.
        log_ratio: log(price / reference).
        terms: The situation's effects.
    """

    level: float
    slope: float
    rest: float
    log_ratio: float
    terms: tuple[Term, ...]
