"""An outcome in the form from which the evaluator's effects learn; light enough for records to carry."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Term:
    """One effect in a situation.

    Attributes:
        value: How strongly it enters.
        level_sd, slope_sd: Prior standard deviations, in logits and in units of the slope before softplus.
        alone: Kept apart from the joint covariance.
    """

    name: str
    value: float
    level_sd: float
    slope_sd: float
    alone: bool = False

    @property
    def group(self) -> str:
        """What has the same prior: the words of one field, the tents of one number and width."""
        return self.name.partition("=")[0] if "=" in self.name else self.name.rpartition(":")[0] or self.name


@dataclass(frozen=True, slots=True)
class Lesson:
    """An outcome as the effects read it.

    Attributes:
        level, slope: Of the evaluator without effects: the logit at the reference price, the slope before softplus.
        rest: What else moves the logit at the price shown.
        log_ratio: log(price / reference).
        terms: The situation's effects.
    """

    level: float
    slope: float
    rest: float
    log_ratio: float
    terms: tuple[Term, ...]
