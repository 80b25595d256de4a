"""Added vocabulary of the strategist: one token per lever, anchor, move and rounding, in four slots."""

from typing import Final

from models.strategist.strategy import MOVES, Anchor, Lever, Rounding

LEVERS: Final = tuple(Lever)
ANCHORS: Final = tuple(Anchor)
ROUNDINGS: Final = tuple(Rounding)
LEVER_AT: Final = 0
ANCHOR_AT: Final = LEVER_AT + len(LEVERS)
MOVE_AT: Final = ANCHOR_AT + len(ANCHORS)
ROUNDING_AT: Final = MOVE_AT + len(MOVES)
VOCABULARY: Final = ROUNDING_AT + len(ROUNDINGS)  # 79 strategy tokens
LEVER_SLOT: Final = slice(LEVER_AT, ANCHOR_AT)
ANCHOR_SLOT: Final = slice(ANCHOR_AT, MOVE_AT)
MOVE_SLOT: Final = slice(MOVE_AT, ROUNDING_AT)
ROUNDING_SLOT: Final = slice(ROUNDING_AT, VOCABULARY)
