"""Recall and precision of detecting protected attributes in free text, on hand-written, labelled texts.

A text is one line of `data/mentions.tsv`: `tuned` or `held out`, the attribute it mentions or `-`, and the text. The
lexicon was tuned on the `tuned` texts and frozen before the `held out` ones were written (by the same author, however).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from agent.rules.packs import load_pack, protected_attributes
from agent.rules.screening import screen_profile

TEXTS: Final = Path(__file__).parent / "data" / "mentions.tsv"
HELD_OUT: Final = "held out"
_NONE: Final = "-"
_STRICTEST: Final = "US-NY"  # age is protected there too
_DAY: Final = date(2026, 12, 1)  # its law is in force


@dataclass(frozen=True, slots=True)
class Text:
    """A labelled text; `attribute` is None if it mentions no protected attribute."""

    held_out: bool
    attribute: str | None
    text: str

    @property
    def chinese(self) -> bool:
        """Whether it is written in Chinese."""
        return any("\u4e00" <= letter <= "\u9fff" for letter in self.text)


@dataclass(frozen=True, slots=True)
class ScreeningResult:
    """Result of screening labelled texts.

    Attributes:
        mentions: Number of texts that mention an attribute.
        plain: Number of texts that mention none.
        missed: Texts whose attribute was not detected (false negatives).
        false_positives: Plain texts in which an attribute was detected.
    """

    mentions: int
    plain: int
    missed: tuple[str, ...]
    false_positives: tuple[str, ...]

    @property
    def true_positives(self) -> int:
        """Number of texts whose attribute was detected."""
        return self.mentions - len(self.missed)

    @property
    def recall(self) -> float:
        """True positives / texts that mention an attribute."""
        return self.true_positives / self.mentions

    @property
    def precision(self) -> float:
        """True positives / (true positives + false positives)."""
        return self.true_positives / max(1, self.true_positives + len(self.false_positives))


def labelled_texts() -> list[Text]:
    """Read the labelled texts."""
    rows = [line.split("\t") for line in TEXTS.read_text("utf-8").splitlines() if line]
    return [Text(part == HELD_OUT, None if label == _NONE else label, text) for part, label, text in rows]


def measure(texts: Sequence[Text]) -> ScreeningResult:
    """Screen the texts as profiles, in the jurisdiction that protects the most attributes."""
    pack = load_pack("ecommerce")
    labels = {name: attribute.label for name, attribute in protected_attributes().items()}
    missed: list[str] = []
    false_positives: list[str] = []
    mentions = 0
    for one in texts:
        reasons = [ignored.reason for ignored in screen_profile(one.text, pack, _STRICTEST, _DAY).ignored]
        if one.attribute is None:
            false_positives += [one.text] if reasons else []
            continue
        mentions += 1
        if not any(reason.endswith(f": {labels[one.attribute]}") for reason in reasons):
            missed.append(one.text)
    return ScreeningResult(mentions, len(texts) - mentions, tuple(missed), tuple(false_positives))
