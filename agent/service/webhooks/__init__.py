"""Delivery of webhooks by Standard Webhooks, to addresses that were checked."""

from agent.service.webhooks.delivery import Courier
from agent.service.webhooks.guard import RefusedAddressError, check_url

__all__ = ["Courier", "RefusedAddressError", "check_url"]
