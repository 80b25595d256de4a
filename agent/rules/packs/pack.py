"""Vertical packs: the differences between trades, as data."""

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
    """Kind of number that a price is."""

    AMOUNT = "amount"
    NIGHTLY_RATE = "nightly_rate"
    ANNUAL_RATE_BP = "annual_rate_bp"
    PREMIUM = "premium"
    FEE = "fee"


class Objective(StrEnum):
    """Definition of profit."""

    MARGIN = "margin"
    REVENUE_LESS_OPPORTUNITY_COST = "revenue_less_opportunity_cost"
    RISK_ADJUSTED_MARGIN = "risk_adjusted_margin"


class ContextKind(StrEnum):
    """Type of a context field."""

    NUMBER = "number"
    TEXT = "text"
    TIME = "time"
    MONEY_LIST = "money_list"


class ContextField(BaseModel):
    """A context field of the trade."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: ContextKind
    description: str = Field(min_length=1)


class PackLimits(BaseModel):
    """Default limits, until the merchant sets others."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_margin_frac: float = Field(ge=0, le=MAX_MARGIN_FRAC)
    max_discount_frac: float = Field(ge=0, le=1)
    max_change_frac: float = Field(ge=0, le=MAX_CHANGE_FRAC)
    never_above_reference: bool
    rounding: Rounding


class Pack(BaseModel):
    """A trade: `agent/rules/packs/data/<name>.yaml`.

    Attributes:
        levers: Moves that strategies may make.
        protected: Attributes that may not be used.
        sunk_cost: Whether the cost of a unit is spent when stock is bought, not when it is sold.
        personalises: Whether prices are personalised unless the merchant says otherwise.
        gives_reasons: Whether shoppers have a right to the principal reasons of their price.
        sources: Laws of the trade, as opposed to those of a place.
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
            raise ValueError("levers must include `hold`, as the reference price is always a candidate")
        return levers

    @field_validator("protected")
    @classmethod
    def _known(cls, protected: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := sorted(set(protected) - protected_attributes().keys()):
            raise ValueError(f"unknown attributes {unknown}; allowed: {sorted(protected_attributes())}")
        return protected


def pack_names() -> tuple[str, ...]:
    """Names of all packs."""
    return tuple(sorted(path.stem for path in DATA.glob("*.yaml") if path.stem != PROTECTED_FILE))


@cache
def load_pack(name: str) -> Pack:
    """Load a pack by name.

    Raises:
        PackError: The pack is unknown or malformed.
    """
    if name not in pack_names():
        raise PackError(f"the pack {name!r} is unknown; allowed: {', '.join(pack_names())}")
    pack = read_data(name, TypeAdapter(Pack))
    if pack.name != name:
        raise PackError(f"{name}.yaml has the name {pack.name!r}; remedy: make file and name agree")
    return pack
