"""Monotonic time, as a number: seconds since some start that only differences matter of."""

import math
from typing import Final, TypeAlias

Instant: TypeAlias = float
"""Monotonic seconds. Wall-clock time is always an aware `datetime` or named `..._utc`."""

NEVER: Final[Instant] = math.inf
"""The deadline of a machine that waits for no timer."""
