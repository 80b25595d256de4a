"""Vertical packs: what differs between trades, as data."""

from collections.abc import Mapping
from enum import StrEnum
from functools import cache

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, field_validator

from agent.rules.gateway import MAX_CHANGE_FRAC, MAX_MARGIN_FRAC
from agent.rules.packs.attributes import protected_attributes
from agent.rules.packs.data_files import DATA, PROTECTED_FILE, read_data
from agent.rules.packs.errors import PackError
from agent.rules.packs.jurisdictions import Citation
from models.strategist.strategy import Lever, Rounding


class PriceKind(StrEnum):
    """What the number is."""

    AMOUNT = "amount"
    NIGHTLY_RATE = "nightly_rate"
    ANNUAL_RATE_BP = "annual_rate_bp"
    PREMIUM = "premium"
    FEE = "fee"


class Objective(StrEnum):
    """What profit means."""

    MARGIN = "margin"
    REVENUE_LESS_OPPORTUNITY_COST = "revenue_less_opportunity_cost"
    RISK_ADJUSTED_MARGIN = "risk_adjusted_margin"


class ContextKind(StrEnum):
    """How a context field is read."""

    NUMBER = "number"
    TEXT = "text"
    TIME = "time"
    MONEY_LIST = "money_list"


class ContextField(BaseModel):
    """A context field that the trade knows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: ContextKind
    description: str = Field(min_length=1)


class PackLimits(BaseModel):
    """Limits that hold until the merchant sets others."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_margin_frac: float = Field(ge=0, le=MAX_MARGIN_FRAC)
    max_discount_frac: float = Field(ge=0, le=1)
    max_change_frac: float = Field(ge=0, le=MAX_CHANGE_FRAC)
    never_above_reference: bool
    rounding: Rounding


class Pack(BaseModel):
    """One trade: `agent/rules/packs/data/<name>.yaml`, checked.

    Attributes:
        sources: The laws that it answers to, where they are of the trade and not of a place.
        gives_reasons: Whether who is priced is owed the reasons, those that really set the price.
        personalises: Whether prices are made for shoppers unless the merchant says otherwise.
        sunk_cost: Whether a unit's cost is spent when the stock is bought, not when it is sold.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    price_kind: PriceKind
    objective: Objective
    levers: tuple[Lever, ...]
    context: Mapping[str, ContextField]
    protected: tuple[str, ...]
    sunk_cost: bool
    personalises: bool = True
    gives_reasons: bool = False
    sources: tuple[Citation, ...] = ()
    limits: PackLimits

    @field_validator("levers")
    @classmethod
    def _hold_is_possible(cls, levers: tuple[Lever, ...]) -> tuple[Lever, ...]:
        if Lever.HOLD not in levers:
            raise ValueError("levers must hold `hold`: the reference price is always a candidate")
        return levers

    @field_validator("protected")
    @classmethod
    def _known(cls, protected: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := sorted(set(protected) - protected_attributes().keys()):
            raise ValueError(f"unknown attributes {unknown}; allowed: {sorted(protected_attributes())}")
        return protected


def pack_names() -> tuple[str, ...]:
    """Every pack that `load_pack` knows."""
    return tuple(sorted(path.stem for path in DATA.glob("*.yaml") if path.stem != PROTECTED_FILE))


@cache
def load_pack(name: str) -> Pack:
    """A pack by name. Raises PackError when it is unknown or malformed."""
    if name not in pack_names():
        raise PackError(f"pack {name!r} does not exist; allowed: {', '.join(pack_names())}")
    pack = read_data(name, TypeAdapter(Pack))
    if pack.name != name:
        raise PackError(f"{name}.yaml calls itself {pack.name!r}; make file and name agree")
    return pack
