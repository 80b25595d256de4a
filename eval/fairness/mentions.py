"""How well mentions of protected attributes are found in free text, on texts written by hand and labelled.

A text is one line of `data/mentions.tsv`: `tuned` or `held out`, the attribute that it tells of or `-`, and the text.
The lexicon was written with the tuned ones in sight and frozen before the others were written, by the same hand though.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.rules.packs import load_pack, protected_attributes
from agent.rules.screening import screen_profile

TEXTS: Final = Path(__file__).parent / "data" / "mentions.tsv"
HELD_OUT: Final = "held out"
_NONE: Final = "-"
_STRICTEST: Final = "US-NY"  # age counts there too


@dataclass(frozen=True, slots=True)
class Text:
    """A labelled text; `attribute` is None where it tells of nothing protected."""

    held_out: bool
    attribute: str | None
    text: str

    @property
    def chinese(self) -> bool:
        """Whether it is written in Chinese."""
        return any("\u4e00" <= letter <= "\u9fff" for letter in self.text)


@dataclass(frozen=True, slots=True)
class Found:
    """What screening made of some texts.

    Attributes:
        mentions: Texts that tell of an attribute; `caught` are those of them in which that very one was named.
        plain: Texts that tell of none; `taken` are those of them in which one was named all the same.
        missed, wrongly: The texts themselves.
    """

    mentions: int
    caught: int
    plain: int
    taken: int
    missed: tuple[str, ...]
    wrongly: tuple[str, ...]

    @property
    def recall(self) -> float:
        """Share of mentions found."""
        return self.caught / self.mentions

    @property
    def precision(self) -> float:
        """Share of texts in which something was named that do tell of something."""
        return self.caught / max(1, self.caught + self.taken)


def labelled_texts() -> list[Text]:
    """The labelled texts."""
    rows = [line.split("\t") for line in TEXTS.read_text("utf-8").splitlines() if line]
    return [Text(part == HELD_OUT, None if label == _NONE else label, text) for part, label, text in rows]


def measure(texts: Sequence[Text]) -> Found:
    """Screen texts as profiles in the place that blocks most."""
    pack = load_pack("ecommerce")
    labels = {name: attribute.label for name, attribute in protected_attributes().items()}
    missed: list[str] = []
    wrongly: list[str] = []
    mentions = 0
    for one in texts:
        named = [ignored.reason for ignored in screen_profile(one.text, pack, _STRICTEST).ignored]
        if one.attribute is None:
            wrongly += [one.text] if named else []
            continue
        mentions += 1
        if not any(reason.endswith(f": {labels[one.attribute]}") for reason in named):
            missed.append(one.text)
    return Found(mentions, mentions - len(missed), len(texts) - mentions, len(wrongly), tuple(missed), tuple(wrongly))
