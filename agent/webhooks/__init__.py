"""Delivery of webhooks by Standard Webhooks, to addresses that were checked."""

from agent.webhooks.delivery import Courier
from agent.webhooks.guard import RefusedAddressError, check_url

__all__ = ["Courier", "RefusedAddressError", "check_url"]
