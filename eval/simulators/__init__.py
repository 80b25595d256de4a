"""Simulated shops with known demand."""

from eval.simulators.grocery import Grocery
from eval.simulators.rooms import Rooms
from eval.simulators.shops import Courses, Loans, Shifting
from eval.simulators.world import GRID, Visit, World

__all__ = ["GRID", "Courses", "Grocery", "Loans", "Rooms", "Shifting", "Visit", "World"]
