"""How hard to look: a little in ``make test``, for minutes in ``make fuzz``."""

import os

from hypothesis import HealthCheck, settings

FACTOR = int(os.environ.get("HAVRE_FUZZ_FACTOR", "1"))
"""By how much more examples are tried than usual."""


def tries(usual: int) -> settings:
    """Settings for so many examples, times FACTOR."""
    return settings(max_examples=usual * FACTOR, deadline=None, suppress_health_check=list(HealthCheck))
