"""Payable steps: the smallest difference between two prices that can be paid, by currency."""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from agent.domain.money import fraction_digits
from agent.rules.packs.data_files import read_data

_FILE: Final = "currencies/steps"


class _Steps(BaseModel):
    """The data file: steps in major units."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str = Field(min_length=1)
    steps: Mapping[str, Annotated[int, Field(ge=1)]]


def payable_step(currency: str) -> int:
    """The smallest payable step of a currency in minor units; 1 where every minor unit can be paid."""
    step = _steps().get(currency)
    return 1 if step is None else int(step * 10 ** fraction_digits(currency))


def payable(amount_minor: int, step_minor: int) -> int:
    """The largest payable amount up to this one; one step where it is below that."""
    return max(step_minor, amount_minor // step_minor * step_minor)


@cache
def _steps() -> Mapping[str, int]:
    return read_data(_FILE, TypeAdapter(_Steps)).steps
