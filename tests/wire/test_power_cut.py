"""A power cut in small, over real sockets: everybody is served, and told once."""

from pathlib import Path

import pytest

from tests.bench.power_cut import power_cut

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.timeout(120)]


def test_everybody_is_served_and_told(tmp_path: Path) -> None:
    phones, whole = 300, 5
    told = power_cut(tmp_path, phones, "user", whole)
    assert told["served"] == told["told"] == phones
    assert told["told_of_domain"] == phones * whole
    assert told["notifies"] <= phones + whole * 40, "changes are told together"
    assert told["subscriptions"] == phones + whole
    assert told["told_after_s"][0] < 2, "most are, whatever else the machine does"
    assert told["domain_told_after_s"][0] < 4
    assert told["most_mb"] - told["before_mb"] < 20
