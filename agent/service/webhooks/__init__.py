"""Delivery of signed webhooks (Standard Webhooks) to checked addresses."""

from agent.service.webhooks.delivery import WebhookDispatcher
from agent.service.webhooks.url_check import RefusedAddressError, check_url

__all__ = ["RefusedAddressError", "WebhookDispatcher", "check_url"]
