"""The waiting times of a target are those of `[timeouts]`."""

from centrex.calls.settings import Settings
from centrex.proxy.patience import Patience


def test_the_defaults_are_those_of_the_settings() -> None:
    settings, patience = Settings(), Patience()
    assert patience.start_response_s == settings.start_response
    assert patience.rollover_s == settings.rollover
    assert patience.final_answer_s == settings.final_answer
