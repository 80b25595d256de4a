"""Options of a training job: those of `pricesmith train` for a shop's own outcomes."""

from typing import Annotated, Literal

from pydantic import Field

from agent.domain.fields import Strict


class TrainingRequest(Strict):
    """Trains a part of Pricesmith on the shop's own outcomes."""

    part: Literal["evaluator"] = Field(
        default="evaluator", description="Part to train; the evaluator alone learns from a shop's own outcomes."
    )
    version: Annotated[
        str | None,
        Field(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
            description="Name of the new version, not in use yet. Default: date and time.",
        ),
    ] = None
    activate: bool = Field(
        default=True, description="Whether to put the new version in use; else `pricesmith models activate` does later."
    )
