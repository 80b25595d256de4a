"""Characters of texts from outside: refused, invisible, or invisible but needed by a script or an emoji.

Invisible characters could hide instructions from a reader who approves a text that a language model reads. One is
kept only where it changes how its visible neighbours look: a joiner in a script that joins or in an emoji sequence, a
variation selector after its base, the tags of a flag. At most two follow each visible character, outside flags.
"""

import re
import unicodedata
from typing import Final

LINE_BREAKS: Final = "\n\r\t"
_ZWNJ, _ZWJ = "\u200c", "\u200d"
_JOINERS: Final = frozenset((_ZWNJ, _ZWJ))
_EMOJI_STYLE: Final = frozenset("\ufe0e\ufe0f")
_KEYCAPS: Final = frozenset("0123456789#*")
_FLAG: Final = re.compile(  # England, Scotland, Wales: all flags of this kind that fonts have
    "\U0001f3f4\U000e0067\U000e0062"
    "(?:\U000e0065\U000e006e\U000e0067|\U000e0073\U000e0063\U000e0074|\U000e0077\U000e006c\U000e0073)\U000e007f"
)
# Format characters (Cf) that are visible: Arabic signs around numbers, and the layout of hieroglyphs.
_VISIBLE_FORMAT: Final = re.compile(
    r"[\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd\U00013430-\U0001345f]"
)
# Default_Ignorable_Code_Point of Unicode where the category is not Cf: selectors, fillers, reserved code points.
_IGNORABLE: Final = re.compile(
    r"[\u180b-\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef"
    r"\u034f\u115f\u1160\u17b4\u17b5\u2065\u3164\uffa0\ufff0-\ufff8\U000e0000-\U000e00ff\U000e01f0-\U000e0fff]"
)
# Scripts in which a joiner changes the shape of letters: Arabic to Myanmar, Khmer, Mongolian, and their supplements.
_JOINING: Final = re.compile(
    r"[\u0600-\u109f\u1700-\u1cff\ua800-\uabff\ufb50-\ufdff\ufe70-\ufefe\U00010a00-\U00011fff\U0001e900-\U0001e95f]"
)
_MONGOLIAN: Final = re.compile(r"[\u1800-\u180a\u1810-\u18af]")


def refused(char: str) -> str | None:
    """Name the kind of a character that no text may contain; None for all others.

    Unassigned code points are allowed: a newer Unicode than this Python's may have assigned them.
    """
    category = unicodedata.category(char)
    if category == "Cc" and char not in LINE_BREAKS:
        return "control character"
    if category == "Cs":
        return "surrogate"
    return "noncharacter" if ord(char) & 0xFFFE == 0xFFFE or 0xFDD0 <= ord(char) <= 0xFDEF else None


def is_invisible(char: str) -> bool:
    """Check whether a character has no width and no glyph of its own."""
    if char < "\u00ad":
        return False
    if unicodedata.category(char) == "Cf":
        return not _VISIBLE_FORMAT.match(char)
    return _IGNORABLE.match(char) is not None


def without_invisible(text: str) -> str:
    """A text without invisible characters."""
    return "".join(char for char in text if not is_invisible(char))


def with_needed_invisible(text: str) -> str:
    """A text without those invisible characters that change nothing a reader sees."""
    flags = {position for flag in _FLAG.finditer(text) for position in range(*flag.span())}
    kept: list[str] = []
    for position, char in enumerate(text):
        if not is_invisible(char) or position in flags or _is_needed(char, kept, text[position + 1 : position + 2]):
            kept.append(char)
    return "".join(kept)


def _is_needed(char: str, kept: list[str], after: str) -> bool:
    """Check whether an invisible character changes the look of the last character kept or of the one after it."""
    if not kept or kept[-1].isspace():
        return False
    before = kept[-1]
    return _joins_needed(char, before, after) if char in _JOINERS else _selects(char, before)


def _joins_needed(joiner: str, before: str, after: str) -> bool:
    if before in _JOINERS:
        return False
    if _is_joining(before) or _is_joining(after):
        return True
    return joiner == _ZWJ and _ends_emoji(before) and _is_pictograph(after)


def _selects(char: str, base: str) -> bool:
    """Check whether a character is a variation selector that may follow `base`."""
    if is_invisible(base):
        return False
    if char in _EMOJI_STYLE and base.isascii():
        return base in _KEYCAPS
    if "\ufe00" <= char <= "\ufe0f":
        return not base.isascii()
    if "\u180b" <= char <= "\u180f":
        return _MONGOLIAN.match(base) is not None
    return "\U000e0100" <= char <= "\U000e01ef" and unicodedata.name(base, "").startswith("CJK ")


def _is_joining(char: str) -> bool:
    """Check whether a character is a letter, mark or digit of a script in which joiners matter."""
    return _JOINING.match(char) is not None and unicodedata.category(char)[0] in "LMN" and not is_invisible(char)


def _ends_emoji(char: str) -> bool:
    return char in _EMOJI_STYLE or "\U0001f3fb" <= char <= "\U0001f3ff" or _is_pictograph(char)


def _is_pictograph(char: str) -> bool:
    """Check whether a character may be an emoji; some are newer than this Python's Unicode."""
    if not char:
        return False
    if unicodedata.category(char) == "So" or char in "\u2194\u2195":
        return True
    return unicodedata.category(char) == "Cn" and "\U0001f000" <= char <= "\U0001faff"
