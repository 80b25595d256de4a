"""Writing of strategies by the language model: in a process of its own beside a server, or at once in this one."""

from agent.service.strategies.opening import (
    BackgroundWriters,
    DirectWriters,
    StrategyStore,
    WriterSource,
    open_proposer,
)

__all__ = ["BackgroundWriters", "DirectWriters", "StrategyStore", "WriterSource", "open_proposer"]
