"""Which film of the metadata an item is: by its ids, or by its title and year; never by a guess."""

from nightreel.prepare.matching.films import films
from nightreel.prepare.matching.match import match
from nightreel.prepare.matching.rates import match_rates
from nightreel.prepare.matching.rules import AMBIGUOUS, Rule, Unmatched

__all__ = ["AMBIGUOUS", "Rule", "Unmatched", "films", "match", "match_rates"]
