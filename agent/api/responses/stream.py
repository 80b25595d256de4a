"""One event of a stream."""

from agent.api.responses.answer import Answer


class StreamEvent(Answer):
    """One server-sent event; a stream has several."""

    event: str
    """Kind of the event."""
    data: str
    """JSON: a schema of this document, or a text."""
