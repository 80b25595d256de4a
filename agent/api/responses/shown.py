"""The reader of an answer, and what a reader is shown of a quote."""

from dataclasses import dataclass
from enum import StrEnum


class View(StrEnum):
    """Reader of an answer."""

    SHOPPER = "shopper"
    MERCHANT = "merchant"


@dataclass(frozen=True, slots=True)
class Shown:
    """The view that a caller gets, with the candidates or without."""

    view: View
    candidates: bool = False
