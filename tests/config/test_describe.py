import json

import pytest

from centrex.config.describe import describe
from centrex.config.keys import catalogue, titles
from centrex.config.pages import page

TABLES = describe()["tables"]


def test_the_dialogs_stand_in_the_original_order() -> None:
    assert [table["title"] for table in TABLES if table["dialog"]] == [
        "Basic Settings",
        "Network Configuration",
        "Call Processing Timeouts",
        "Local Directory",
        "Call Routing",
        "Global iNet Accounts",
        "Media Proxy Support",
        "Registrar",
        "Event Logging",
        "Wan IP/NAT Detection",
        "Custom Plug In",
        "SIP Logging",
        "Authentication",
    ]


def test_every_key_is_in_one_dialog() -> None:
    told = [key["name"] for table in TABLES for key in table["keys"]]
    told += [
        name
        for table in TABLES
        for rows in table.get("lists", ())
        for name in (rows["key"], *(column["name"] for column in rows["columns"]))
    ]
    assert sorted(told) == sorted(catalogue())


def test_it_is_plain_data() -> None:
    assert json.loads(json.dumps(TABLES)) == TABLES


def test_a_key_has_what_a_form_needs() -> None:
    keys = {key["key"]: key for table in TABLES for key in table["keys"]}
    port = keys["network.port"]
    assert (port["label"], port["type"], port["minimum"], port["maximum"]) == (
        "Server port",
        "integer",
        0,
        65535,
    )
    assert (port["default"], port["effect"], port["secret"], port["list"]) == (
        5060,
        "restart",
        False,
        False,
    )
    assert (keys["media.port_range"]["type"], keys["media.port_range"]["list"]) == ("integer", True)
    assert keys["media.mode"]["effect"] == "new-calls"
    assert keys["media.secret"]["secret"]
    assert keys["network.guard.burst"]["group"] == "network.guard"


def test_labels_are_short_and_unlike_each_other() -> None:
    for table in TABLES:
        columns = table.get("list", {}).get("columns", [])
        for keys in (table["keys"], columns):
            labels = [key["label"] for key in keys]
            assert len(set(labels)) == len(labels), table["table"]
            assert all(0 < len(label) <= 26 for label in labels), labels


def test_lists_have_columns_named_as_their_rows_are() -> None:
    lists = {table["table"]: table["list"] for table in TABLES if "list" in table}
    assert {name: one["key"] for name, one in lists.items()} == {
        "directory": "directory.entries",
        "routing": "routing.plans",
        "inet": "inet.accounts",
        "media": "media.rtpengine",
        "auth": "auth.credentials",
    }
    assert [column["key"] for column in lists["media"]["columns"]] == ["address", "enabled"]
    assert [column["key"] for column in lists["routing"]["columns"]][:2] == ["name", "pattern"]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: str(table["table"]))
def test_what_has_no_effect_yet_says_so(table: dict[str, object]) -> None:
    if not table["available"]:
        assert "later version" in str(table["help"])


def test_a_dialog_is_available_where_a_key_of_it_is() -> None:
    told = {table["table"] for table in TABLES if not table["available"]}
    assert {"inet", "wan", "plugins", "siplog"} <= told
    assert "metrics" not in told
    assert {"network", "auth", "media"}.isdisjoint(told)


def test_every_page_begins_with_its_title() -> None:
    for table, title in titles().items():
        assert page(table).startswith(f"{title}\n\n")
