"""The sets by name, in the order of the report."""

from typing import Final

from eval.real.crackers import cracker_set
from eval.real.data import Builder
from eval.real.fares import fare_set
from eval.real.grocer import grocer_set
from eval.real.juices import juice_set

SETS: Final[dict[str, Builder]] = {
    "crackers": cracker_set,
    "juices": juice_set,
    "grocer": grocer_set,
    "fares": fare_set,
}
