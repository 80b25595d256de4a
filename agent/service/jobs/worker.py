"""The process that runs one job: reads its order, works, and tells progress and result.

It runs at a low priority, so that quotes of the server beside it hardly wait, and still gets on when others compute.
"""

import os
import select
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import IO, Final

from pydantic import JsonValue

from agent.service.ingest.errors import ImportFormatError
from agent.service.ingest.store_choice import WrongStoreError
from agent.service.jobs.messages import End, JobProblem, Order, Told, place_of
from agent.service.settings import Settings
from agent.store import StoreError, StoreUnavailable
from agent.store.job_records import JobKind, JobProgress
from models.errors import ModelError, TrainingDataError

_NICE: Final = 10
_TELL_S: Final = 0.2
_ORPHANED: Final = 3
_CODES: Final[tuple[tuple[type[Exception], str], ...]] = (
    (ImportFormatError, "file-unreadable"),
    (WrongStoreError, "demo-store"),
    (TrainingDataError, "outcomes-insufficient"),
    (StoreUnavailable, "store-unavailable"),
    (StoreError, "store-failed"),
    (ModelError, "models-unusable"),
)

Result = dict[str, JsonValue]


class Stopped(Exception):
    """The server asked to stop; `result` says what was done so far."""

    def __init__(self, result: Result | None) -> None:
        """Carry the result so far."""
        super().__init__("stopped")
        self.result = result


@dataclass(frozen=True, slots=True)
class JobInput:
    """The job's own part of an order."""

    settings: Settings
    job_id: str
    options: str
    file: Path | None


class Teller:
    """Tells the server about the work, and the work when to stop."""

    def __init__(self, out: IO[str]) -> None:
        """Write to `out`."""
        self._out = out
        self._told_at = 0.0
        self.stopping = False
        self.rows: int | None = None

    def tell(
        self, progress: JobProgress, counts: Result | None = None, whole: Callable[[], Result] | None = None
    ) -> None:
        """Tell the progress, a few times a second; called where the work may stop.

        `counts` are told along; `whole` makes the result so far when the work stops.

        Raises:
            Stopped: The server asked to stop.
        """
        self.rows = progress.rows
        if self.stopping:
            raise Stopped(counts if whole is None else whole())
        now = time.monotonic()
        if now - self._told_at >= _TELL_S:
            self._told_at = now
            self.say(Told(fraction=progress.fraction, step=progress.step, rows=progress.rows, result=counts))

    def say(self, told: Told) -> None:
        """Write one message."""
        self._out.write(told.model_dump_json(exclude_defaults=True) + "\n")
        self._out.flush()


Work = Callable[[JobInput, Teller], Result]
"""Does the work of a kind; returns its result."""


def run_order(works: Mapping[JobKind, Work]) -> None:
    """Read the order from standard input, carry it out and tell how it ended."""
    with suppress(OSError):
        os.nice(_NICE)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the server too, which decides
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is no message
    teller = Teller(out)
    signal.signal(signal.SIGTERM, lambda _number, _frame: setattr(teller, "stopping", True))
    with open(sys.stdin.fileno(), "rb", buffering=0, closefd=False) as orders:
        order = Order.model_validate_json(orders.readline())
    Thread(target=_watch, args=(order.lease_s,), daemon=True).start()
    teller.say(_carried_out(works[order.kind], order, teller))
    out.close()


def _carried_out(work: Work, order: Order, teller: Teller) -> Told:
    try:
        result = work(JobInput(order.read_settings(), order.job_id, order.options, order.file), teller)
        return Told(fraction=1.0, end=End.DONE, result=result, rows=teller.rows)
    except Stopped as stopped:
        return Told(end=End.STOPPED, result=stopped.result, rows=teller.rows)
    except MemoryError:
        detail = "the work needs more memory than there is; remedy: a larger machine, or a file in parts"
        return Told(end=End.FAILED, problem=JobProblem(code="memory-exhausted", detail=detail))
    except Exception as error:
        code = next((code for kind, code in _CODES if isinstance(error, kind)), None)
        if code is not None:
            return Told(end=End.FAILED, problem=JobProblem(code=code, detail=str(error)[:2_000]))
        detail = "an error that Pricesmith did not expect; the operator finds its place in the log under the job's id"
        return Told(end=End.FAILED, problem=JobProblem(code="internal-error", detail=detail), place=place_of(error))


def _watch(lease_s: float) -> None:
    """Exit when the server has ended, or has not renewed the lease: another process may run the job by now."""
    while True:
        ready, _, _ = select.select([sys.stdin.fileno()], [], [], lease_s)
        if not ready or not os.read(sys.stdin.fileno(), 4096):
            os._exit(_ORPHANED)
