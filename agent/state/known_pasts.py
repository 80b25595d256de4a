"""Pasts by shopper, worked out once: valid until history, profile or products' words change, or a session ends.

A past holds at any moment after the last event at which the same part of the session is still going on: habits keep
their order as time passes, and recency weights their ratios.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from agent.domain.records import Attribute
from agent.state.shopper_memory import digest_of
from agent.store.recent_map import RecentMap
from models.shopper.history import SESSION_S, Act, RecentItems, ShopperHistory, latest_acts, weighted_items
from models.shopper.item_affinity import Buyer, Taste
from models.shopper.texts import behaviour_text

CAPACITY: Final = 2_000
"""Pasts in memory; about 6 kB each with 4,000 products that have item factors."""

Profile = Mapping[str, Attribute] | str


@dataclass(frozen=True, slots=True)
class PastMaker:
    """Works out pasts: texts, flags of items bought, latest items.

    Attributes:
        title_of: Title of a product by id.
    """

    taste: Taste
    title_of: Callable[[str], str]

    def text(self, history: ShopperHistory, behaviour_s: float, profile: Profile) -> str:
        """The behaviour text of a history at a moment."""
        return behaviour_text(history, self.title_of, behaviour_s, profile)


@dataclass(frozen=True, slots=True)
class KnownPast:
    """A past, and what it holds for.

    Attributes:
        ended, going: The last act before this session, and its first one; None where there is none.
        latest: Acts whose products are the recent items.
    """

    history: ShopperHistory
    profile: Profile
    revision: int
    ended: Act | None
    going: Act | None
    text: str
    digest: bytes
    buyer: Buyer
    latest: tuple[Act, ...]

    def holds(self, behaviour_s: float) -> bool:
        """Whether the session at a moment is the same; the moment is after the last event."""
        began = self.going is None or behaviour_s - self.going.at_s <= SESSION_S
        return began and (self.ended is None or behaviour_s - self.ended.at_s > SESSION_S)

    @property
    def expires_s(self) -> float | None:
        """When the session changes without a new event, Unix seconds on the behaviour clock."""
        return None if self.going is None else self.going.at_s + SESSION_S

    @property
    def recent(self) -> RecentItems:
        """Recent items."""
        return weighted_items(self.latest)


class KnownPasts:
    """LRU cache of pasts by shopper. Safe for several threads."""

    def __init__(self, maker: PastMaker, revision: Callable[[], int], capacity: int = CAPACITY) -> None:
        """`revision` numbers the state of all products' words."""
        self._maker = maker
        self._revision = revision
        self._known: RecentMap[str, KnownPast] = RecentMap(capacity)

    def find(self, shopper_id: str, history: ShopperHistory, behaviour_s: float, profile: Profile) -> KnownPast | None:
        """The known past of a whole history at a moment after its last event; None when it has to be worked out."""
        known = self._known.get(shopper_id)
        if known is None:
            return None
        same = known.history is history and known.revision == self._revision() and known.profile == profile
        return known if same and known.holds(behaviour_s) else None

    def work_out(self, history: ShopperHistory, behaviour_s: float, profile: Profile) -> KnownPast:
        """Work out the past of a whole history at a moment after its last event."""
        revision = self._revision()  # before titles are read: a later change makes this one stale
        going = next((act for act in history.session if behaviour_s - act.at_s <= SESSION_S), None)
        ended = [act for act in history.session if behaviour_s - act.at_s > SESSION_S]
        text = self._maker.text(history, behaviour_s, profile)
        return KnownPast(
            history=history,
            profile=profile,
            revision=revision,
            ended=ended[-1] if ended else None,
            going=going,
            text=text,
            digest=digest_of(text),
            buyer=self._maker.taste.buyer(history.products),
            latest=latest_acts(history, behaviour_s),
        )

    def put(self, shopper_id: str, known: KnownPast) -> None:
        """Have a past found from now on."""
        self._known.put(shopper_id, known)

    def forget(self) -> None:
        """Drop all pasts, for an erasure."""
        self._known.clear()
