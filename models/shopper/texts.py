"""Input texts of the encoder: product descriptions and shopper behaviour."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from models.shopper.history import SESSION_S, ShopperHistory
from models.shopper.tallies import largest

TitleOf = Callable[[str], str]

STRANGER: Final = "a new shopper"
"""Behaviour text of a shopper of whom nothing is known."""
_CATEGORIES: Final = 6
_RECENT: Final = 8
_MAX_CHARS: Final = 700
_VERBS: Final = {
    "view": "viewed",
    "click": "clicked",
    "search": "searched for",
    "add_to_cart": "put into the cart",
    "remove_from_cart": "removed from the cart",
    "wishlist": "wished for",
}


def product_text(title: str, category: str = "", brand: str = "", description: str = "") -> str:
    """Describe a product: title, category and brand, then the description, cut to 700 characters."""
    parts = [title.strip(), category.strip(), brand.strip(), description.strip()]
    kept = [part for index, part in enumerate(parts) if part and part not in parts[:index]]
    return ". ".join(kept)[:_MAX_CHARS] or "unnamed product"


def category_text(category: str) -> str:
    """Return the text that represents a category."""
    return category.strip() or "uncategorised"


def behaviour_text(
    history: ShopperHistory, title_of: TitleOf, at_s: float, profile: Mapping[str, object] | str = ""
) -> str:
    """Describe a shopper's behaviour, newest session events first.

    `profile` must already be free of protected attributes.
    """
    parts = [*_session(history, title_of, at_s), *_habits(history, title_of)]
    described = profile if isinstance(profile, str) else ", ".join(f"{k} {v}" for k, v in sorted(profile.items()))
    if described:
        parts.append(f"profile: {described}")
    return ("; ".join(parts) or STRANGER)[:_MAX_CHARS]


def _session(history: ShopperHistory, title_of: TitleOf, at_s: float) -> Sequence[str]:
    lines = []
    for act in reversed(history.session):
        if 0 <= at_s - act.at_s <= SESSION_S and act.type in _VERBS:
            what = act.text or title_of(act.product) or act.category
            if what:
                lines.append(f"just {_VERBS[act.type]} {what}")
    return list(dict.fromkeys(lines))[:_RECENT]


def _habits(history: ShopperHistory, title_of: TitleOf) -> Sequence[str]:
    """Describe purchases. The same at any time after the last one: all counts decay alike, so their order stays."""
    if not history.recent:
        return []
    last_s = history.items.last_s
    ranked = largest(history.categories, _CATEGORIES, last_s)
    latest = list(dict.fromkeys(title_of(act.product) or act.category for act in reversed(history.recent)))
    deal_share = history.deals.times / max(1, history.items.times)
    pays = "mostly on offer" if deal_share > 0.55 else "often on offer" if deal_share > 0.3 else "mostly full price"
    return [
        "often buys " + ", ".join(ranked),
        "lately bought " + ", ".join(name for name in latest[:_RECENT] if name),
        f"pays {pays}",
    ]
