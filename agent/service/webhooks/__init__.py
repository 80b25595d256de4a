"""Delivery of webhooks by Standard Webhooks, to addresses that were checked."""

from agent.service.webhooks.delivery import WebhookDispatcher
from agent.service.webhooks.url_check import RefusedAddressError, check_url

__all__ = ["RefusedAddressError", "WebhookDispatcher", "check_url"]
