"""Check of the law files: versions that will soon take effect."""

from datetime import date, timedelta
from typing import Final

from agent.rules.packs import taking_effect
from agent.service.doctor.finding import Finding, Level

AHEAD: Final = timedelta(days=30)


def check_law(day: date) -> Finding:
    """Warn of rules of law that begin within the next 30 days: prices and notices there change on that day."""
    coming = taking_effect(day, day + AHEAD)
    if not coming:
        return Finding("law", Level.OK, f"no rules of a place change within {AHEAD.days} days")
    told = ", ".join(f"{law.label} on {law.in_force} ({law.name})" for law in coming)
    remedy = "read what `pricesmith rules laws PLACE --on DAY` shows of each"
    return Finding("law", Level.WARNING, f"rules change: {told}", remedy)
