"""Which film of the metadata an item is: by its ids, or by its title and year; never by a guess."""

from nightreel.prepare.matching.match import AMBIGUOUS, Rule, Unmatched, films, match, match_rates

__all__ = ["AMBIGUOUS", "Rule", "Unmatched", "films", "match", "match_rates"]
