"""What every test may use: the event loop, hypothesis profiles, and the rule for missing peers."""

import importlib.util
import os
import shutil
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

PACKAGES = {
    "baresip": "baresip-core",
    "ip": "iproute2",
    "linphonec": "linphone-cli",
    "nft": "nftables",
    "rtpengine": "rtpengine-daemon",
    "setpriv": "util-linux",
    "sipp": "sip-tester",
    "tmux": "tmux",
    "tshark": "tshark",
}
"""The Debian package of each peer that a test may ask for with `pytest.mark.peer(NAME)`."""

os.environ["TZ"] = "UTC"  # so that what a dashboard shows is the same on every machine
time.tzset()

settings.register_profile("fast", deadline=None, derandomize=True, max_examples=60)
settings.register_profile(
    "deep", deadline=None, max_examples=5000, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return ("asyncio", {"use_uvloop": importlib.util.find_spec("uvloop") is not None})


def pytest_runtest_setup(item: pytest.Item) -> None:
    needed = {name for mark in item.iter_markers("peer") for name in mark.args}
    missing = sorted(name for name in needed if shutil.which(name) is None)
    if not missing:
        return
    packages = " ".join(PACKAGES[name] for name in missing)
    reason = f"not installed: {', '.join(missing)} (Debian: apt-get install {packages})"
    if os.environ.get("CI", "").lower() in ("true", "1"):
        pytest.fail(f"{reason}; in CI no peer may be missing", pytrace=False)
    pytest.skip(reason)
