"""The built-in cohort: simulated subjects for those who have no data yet. `write_cohort` is the one entry."""

from .write import write_cohort

__all__ = ["write_cohort"]
