"""Relaxation: the limits that one version of the rules loosens against another, which need a second key."""

from collections.abc import Iterator
from typing import Final

from agent.domain.fields import Money
from agent.rules.document import RuleLimits, RulesDocument
from agent.rules.exploration import Exploration

_BOLDNESS: Final = (Exploration.OFF, Exploration.CAUTIOUS, Exploration.NORMAL)
_ANY: Final = 1e9
_SHOWN: Final = 50


def loosened(old: RulesDocument, new: RulesDocument) -> list[str]:
    """Describe each limit that `new` loosens; empty when it only tightens limits or changes weights.

    Both documents are complete. Every product named in one of them is compared within every category named in one of
    them, as the catalogue may move it; a limit counts as loosened if it is in any of these.
    """
    found = dict.fromkeys(_exploration(old, new))
    for where, category, product in _scopes(old, new):
        for what in _limits(old.limits_of(category, product), new.limits_of(category, product)):
            found.setdefault(f"{where}: {what}")
    reasons = list(found)
    more = len(reasons) - _SHOWN
    return [*reasons[:_SHOWN], f"and {more} more"] if more > 0 else reasons


def _scopes(old: RulesDocument, new: RulesDocument) -> Iterator[tuple[str, str, str]]:
    """Yield (name, category, product) for all products, each category, and each product in every category."""
    categories = sorted({*old.categories, *new.categories})
    yield "everything", "", ""
    for category in categories:
        yield f"category {category}", category, ""
    for product in sorted({*old.products, *new.products}):
        for category in ("", *categories):
            yield f"product {product}", category, product


def _limits(old: RuleLimits, new: RuleLimits) -> Iterator[str]:
    for name in ("min_price", "map_price"):
        before, after = getattr(old, name), getattr(new, name)
        if before is not None and (not _same_currency(before, after) or after.amount_minor < before.amount_minor):
            yield f"{name} from {_money(before)} to {_money(after)}"
    before, after = old.max_price, new.max_price
    if before is not None and (
        after is None or after.currency != before.currency or after.amount_minor > before.amount_minor
    ):
        yield f"max_price from {_money(before)} to {_money(after)}"
    if (new.min_margin or 0.0) < (old.min_margin or 0.0):
        yield f"min_margin from {old.min_margin or 0:.2%} to {new.min_margin or 0:.2%}"
    for name, most in (("max_discount", 1.0), ("max_change", _ANY)):
        held, wanted = getattr(old, name), getattr(new, name)
        if (most if wanted is None else wanted) > (most if held is None else held):
            yield f"{name} from {held:.2%} to {'any' if wanted is None else f'{wanted:.2%}'}"
    if old.never_above_reference and not new.never_above_reference:
        yield "never_above_reference from on to off"


def _exploration(old: RulesDocument, new: RulesDocument) -> Iterator[str]:
    before, after = old.exploration or Exploration.OFF, new.exploration or Exploration.OFF
    if _BOLDNESS.index(after) > _BOLDNESS.index(before):
        yield f"everything: exploration from {before.value} to {after.value}"
    held = _ANY if old.max_try is None else old.max_try
    wanted = _ANY if new.max_try is None else new.max_try
    if after is not Exploration.OFF and wanted > held:
        yield f"everything: max_try from {held:.2%} to {'any' if new.max_try is None else f'{wanted:.2%}'}"
    held, wanted = (_ANY if one.max_spread is None else one.max_spread for one in (old, new))
    if wanted > held:
        yield f"everything: max_spread from {held:.2%} to {'any' if new.max_spread is None else f'{wanted:.2%}'}"


def _same_currency(one: Money, other: Money | None) -> bool:
    return other is not None and other.currency == one.currency


def _money(money: Money | None) -> str:
    return "none" if money is None else f"{money.amount_minor} {money.currency}"
