"""Which studies are wanted, by the hospital's rules."""

from kiosk.policy.relevance.rules import RelevancePolicy, RelevanceRule, judge

__all__ = ["RelevancePolicy", "RelevanceRule", "judge"]
