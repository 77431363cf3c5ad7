"""How long the proxy waits for a target: the settings of `[timeouts]` as `forward` consults them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds a target is given, by what it does with them."""

    start_response_s: float = 5.0
    """To say anything at all."""
    rollover_s: float = 20.0
    """To answer, where another target follows."""
    final_answer_s: float = 120.0
    """To answer, where it is the last."""
    call_maximum_s: float = 0.0
    """For all of them together; 0 for no limit."""
