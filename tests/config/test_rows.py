from typing import Any

import pytest

from centrex.config.keys import catalogue, row_model
from centrex.config.rows import objections


@pytest.mark.parametrize(
    ("rows", "row", "told"),
    [
        ("routing.plans", {"name": "1", "destinations": ["2"]}, {}),
        (
            "routing.plans",
            {"name": "1", "destinations": ["2", "sip:"]},
            {"destinations": "sip:: "},
        ),
        ("routing.plans", {"pattern": "("}, {"pattern": "is no pattern of RE2"}),
        ("routing.plans", {"note": "n"}, {"": "needs either a name or a pattern"}),
        (
            "routing.plans",
            {"name": "1", "destinations": [{"to": "a", "ring": 9999}]},
            {"destinations": "must be at most 3600"},
        ),
        ("directory.entries", {"contact": "sip:a b"}, {"contact": "has not the right form"}),
        ("media.rtpengine", {"address": "udp:a"}, {"address": "must be udp:host:port"}),
        ("auth.credentials", {"login": "a b", "note": "x" * 300}, {"login": "", "note": ""}),
    ],
)
def test_what_is_wrong_is_told_by_key(rows: str, row: dict[str, Any], told: dict[str, str]) -> None:
    found = objections(rows, row)
    assert found.keys() == told.keys()
    assert all(found[key].startswith(words) for key, words in told.items())


def test_keys_that_are_not_there_are_no_matter() -> None:
    assert objections("auth.credentials", {"note": "n"}) == {}


def test_every_list_has_a_model() -> None:
    for name, key in catalogue().items():
        if key.has_rows and "[]" not in name:
            columns = {one.rpartition(".")[2] for one in catalogue() if one.startswith(f"{name}[]")}
            assert columns == set(row_model(name).model_fields)
    with pytest.raises(KeyError):
        row_model("network.aliases")
