"""Jobs: long work asked for over HTTP, each in a process of its own."""

from agent.service.jobs.messages import JobProblem
from agent.service.jobs.runner import KEPT_FOR, MOST_WAITING, JobRunner, Timing
from agent.service.jobs.spool import Spool, safe_name

__all__ = ["KEPT_FOR", "MOST_WAITING", "JobProblem", "JobRunner", "Spool", "Timing", "safe_name"]
