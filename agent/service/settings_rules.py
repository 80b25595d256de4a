"""The rules that follow from the settings: what holds until the merchant activates a version of their own."""

from agent.rules.document import RuleLimits, RulesDocument, RuleWeights
from agent.rules.packs import Pack
from agent.service.settings import Settings


def settings_rules(settings: Settings, pack: Pack) -> RulesDocument:
    """Rules for whatever the merchant's own leave open: the settings, else the pack."""

    def chosen(own: float | None, default: float) -> float:
        return default if own is None else own

    return RulesDocument(
        limits=RuleLimits(
            min_margin=chosen(settings.min_margin_frac, pack.limits.min_margin_frac),
            max_discount=chosen(settings.max_discount_frac, pack.limits.max_discount_frac),
            max_change=chosen(settings.max_change_frac, pack.limits.max_change_frac),
            never_above_reference=settings.never_above_reference,
            rounding=pack.limits.rounding,
        ),
        weights=RuleWeights(
            profit=settings.weight_profit,
            purchase=settings.weight_purchase,
            satisfaction=settings.weight_satisfaction,
        ),
        exploration=settings.exploration,
        max_try=settings.max_try_frac,
        control=settings.control_frac,
        max_spread=settings.max_spread_frac,
    )
