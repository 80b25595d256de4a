"""Patterns of claims: words that give a number its role, and words that need a fact.

Patterns read sentences whose numbers stand as placeholders (`numbers.Carries`). The lexicon knows facts by key and
by coded value only; it shares no wording with the writers of texts.
"""

import re
from dataclasses import dataclass, field

from agent.explain.check.numbers import Carries


@dataclass(frozen=True, slots=True)
class Cue:
    """Words that give a number its role. `after` cues follow it directly; `within` must occur in the sentence."""

    carries: Carries
    pattern: re.Pattern[str]
    keys: frozenset[str]
    after: bool = False
    within: re.Pattern[str] | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """Words that are true only if one of `needs` (a key or a coded value) is a fact and none of `bars` is."""

    name: str
    pattern: re.Pattern[str]
    needs: frozenset[str] = field(default_factory=frozenset)
    bars: frozenset[str] = field(default_factory=frozenset)


def before(carries: Carries, pattern: str, keys: str, within: str | None = None) -> Cue:
    """A cue that stands before its number, the nearest one counting."""
    inside = None if within is None else re.compile(within, re.IGNORECASE)
    return Cue(carries, re.compile(pattern, re.IGNORECASE), frozenset(keys.split()), within=inside)


def behind(carries: Carries, pattern: str, keys: str) -> Cue:
    """A cue that stands right behind its number."""
    return Cue(carries, re.compile(rf"\s*(?:{pattern})", re.IGNORECASE), frozenset(keys.split()), after=True)


def claim(name: str, pattern: str, needs: str = "", bars: str = "") -> Claim:
    """A claim from space-separated keys and codes."""
    return Claim(name, re.compile(pattern, re.IGNORECASE), frozenset(needs.split()), frozenset(bars.split()))


DOWN = "discount_pct whatif_fall other_lower moved_down_pct profit_less_pct bought_below_pct"
UP = "premium_pct whatif_rise other_higher moved_up_pct profit_more_pct bought_above_pct"
NEVER = "never"  # no fact: what needs it is never true
CUTS = (
    "reason.discount reason.clear_stock reason.loyalty_reward reason.win_back reason.volume reason.last_minute "
    "reason.match_competitor reason.undercut_competitor"
)
HIDDEN = {
    "en": re.compile(
        r"\b(?:costs? (?:us|the shop|price)|unit cost|our cost|cost of|margins?|profits?|price floor|the floor|markup)"
        r"\b",
        re.IGNORECASE,
    ),
    "zh": re.compile("成本|毛利|利润|底价|加价率"),
}
