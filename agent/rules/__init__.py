"""Rules on prices: the merchant's versioned rules, the gateway, the law, protected attributes, the kill switch."""

from agent.rules.book import RuleBook, RuleError
from agent.rules.document import RuleLimits, RulesDocument, RuleWeights
from agent.rules.history import RulesState, RuleVersion, Window
from agent.rules.terms import MerchantRules, Terms

__all__ = [
    "MerchantRules",
    "RuleBook",
    "RuleError",
    "RuleLimits",
    "RuleVersion",
    "RuleWeights",
    "RulesDocument",
    "RulesState",
    "Terms",
    "Window",
]
