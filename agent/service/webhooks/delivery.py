"""Delivery of webhook messages: signed, posted to a checked address, retried with exponential backoff."""

from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

import httpx
from standardwebhooks import Webhook

from agent.domain.clock import Clock
from agent.service.webhooks.url_check import RefusedAddressError, Resolve, check_url, system_resolve
from agent.store import Store
from agent.store.webhook_messages import backoff_s
from agent.store.webhooks import DueMessage

LEASE_S: Final = 60.0
_BATCH: Final = 20
_TIMEOUT_S: Final = 10.0
_STATUS_GONE: Final = 410


class WebhookDispatcher:
    """Delivers due messages; several processes may each run one.

    A message is leased during its delivery; if the process dies, it is tried again after the lease. Receivers may
    therefore see a message twice, with the same `webhook-id`.
    """

    def __init__(self, store: Store, clock: Clock, *, private: bool, resolve: Resolve = system_resolve) -> None:
        """`private` allows plain http and non-public addresses."""
        self._store = store
        self._clock = clock
        self._private = private
        self._resolve = resolve
        self._http = httpx.Client(timeout=_TIMEOUT_S, follow_redirects=False, trust_env=False)

    def deliver_due(self) -> int:
        """Try one batch of due messages; returns how many were delivered.

        Raises:
            StoreUnavailable: The database did not answer.
        """
        delivered = 0
        for due in self._store.webhooks_due(self._clock.now(), timedelta(seconds=LEASE_S), _BATCH):
            trouble = self._post(due)
            if trouble is None:
                self._store.webhook_delivered(due.seq)
                delivered += 1
            else:
                self._retry(due, trouble)
        return delivered

    def close(self) -> None:
        """Close connections."""
        self._http.close()

    def _post(self, due: DueMessage) -> str | None:
        """Post a message; returns the error, None when the receiver accepted it."""
        try:
            target = check_url(due.url, private=self._private, resolve=self._resolve)
        except RefusedAddressError as error:
            return str(error)
        parts = urlsplit(due.url)
        literal = f"[{target.address}]" if ":" in target.address else target.address
        path = parts.path or "/"
        url = f"{parts.scheme}://{literal}:{target.port}{path}{'?' + parts.query if parts.query else ''}"
        request = self._http.build_request(
            "POST",
            url,
            content=due.body.encode(),
            headers={**signed(due, self._clock.now()), "Host": parts.netloc, "Content-Type": "application/json"},
            extensions={"sni_hostname": target.host},
        )
        try:
            answer = self._http.send(request, stream=True)  # the response body is never read
            answer.close()
        except httpx.HTTPError as error:
            return type(error).__name__
        if answer.status_code == _STATUS_GONE:
            self._store.remove_webhook(due.webhook_id)
        return None if answer.is_success or answer.status_code == _STATUS_GONE else f"answered {answer.status_code}"

    def _retry(self, due: DueMessage, trouble: str) -> None:
        wait_s = backoff_s(due.attempts + 1)
        later = None if wait_s is None else self._clock.now() + timedelta(seconds=wait_s)
        self._store.webhook_failed(due.seq, trouble[:200], later)


def signed(due: DueMessage, now: datetime) -> dict[str, str]:
    """Headers of a signed message (Standard Webhooks)."""
    stamp = now.replace(microsecond=0)
    return {
        "webhook-id": due.message_id,
        "webhook-timestamp": str(int(stamp.timestamp())),
        "webhook-signature": Webhook(due.secret).sign(due.message_id, stamp, due.body),
    }
