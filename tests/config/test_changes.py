"""Changes as an editor asks for them: their form, and that document and data are changed alike."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.base import ConfigError
from centrex.config.changes import MAX_CHANGES, Wrong, held, read, settled, steps
from centrex.config.edit import Document

TEXT = """\
# head
[network]
domain = "x"  # ours

[network.guard]
burst = 300

# plans
[routing]

# the first
[[routing.plans]]
name = "1"
destinations = ["a", {to = "b", ring = 5}]

# the second
[[routing.plans]]
pattern = "2.*"

[auth]
#realm = ""
credentials = [{login = "a", note = "n"}]
"""
DATA = tomllib.loads(TEXT)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ("text", "changes[0]"),
        ({}, "changes[0]"),
        ({"op": "sett", "key": "network.port", "value": 1}, "changes[0]"),
        ({"op": "set", "key": 5}, "changes[0]"),
        ({"op": "set", "key": "network.prt", "value": 1}, "network.prt"),
        ({"op": "set", "key": "network", "value": 1}, "network"),
        ({"op": "set", "key": "routing.plans", "value": []}, "routing.plans"),
        ({"op": "set", "key": "network.port", "value": None}, "network.port"),
        ({"op": "set", "key": "network.port", "value": 1e999}, "network.port"),
        ({"op": "set", "key": "network.port", "value": 2**70}, "network.port"),
        ({"op": "set", "key": "basic.description", "value": "\ud800"}, "basic.description"),
        ({"op": "add", "list": "network.aliases", "value": {}}, "network.aliases"),
        ({"op": "add", "list": "routing.plans", "value": [1]}, "routing.plans"),
        ({"op": "update", "list": "routing.plans", "index": -1, "value": {}}, "changes[0]"),
        ({"op": "delete", "list": "routing.plans", "index": True}, "changes[0]"),
        ({"op": "move", "list": "routing.plans", "index": 0}, "changes[0]"),
        ({"op": "password", "login": ""}, "auth.credentials[].login"),
        ({"op": "password", "login": "a", "users": "b"}, "auth.credentials[].users"),
        ({"op": "password", "login": "a", "password": "a\nb"}, "changes[0]"),
        ({"op": "password", "login": "a", "password": ""}, "changes[0]"),
    ],
)
def test_what_has_no_sound_form_is_refused_with_its_key(change: Any, key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read([change])
    assert [problem.key for problem in caught.value.problems] == [key]


def test_all_that_is_wrong_is_told_at_once_and_the_nearest_with_it() -> None:
    with pytest.raises(ConfigError) as caught:
        read([{"op": "set", "key": "network.prt", "value": 1}, {"op": "delet"}])
    assert [problem.nearest for problem in caught.value.problems] == ["network.port", "delete"]


@pytest.mark.parametrize("changes", [None, "text", {}, [{"op": "unset"}] * (MAX_CHANGES + 1)])
def test_changes_are_a_list_of_bounded_length(changes: Any) -> None:
    with pytest.raises(ConfigError):
        read(changes)


@pytest.mark.parametrize(
    "change",
    [
        {"op": "delete", "list": "routing.plans", "index": 2},
        {"op": "move", "list": "routing.plans", "index": 0, "to": 2},
        {"op": "update", "list": "inet.accounts", "index": 0, "value": {}},
        {"op": "add", "list": "routing.plans", "at": 3, "value": {}},
        {"op": "set", "key": "routing.plans[7].note", "value": "n"},
        {"op": "unset", "key": "routing.plans[7].note"},
    ],
)
def test_a_row_that_is_not_there_is_told(change: dict[str, Any]) -> None:
    (edit,) = read([change])
    with pytest.raises(Wrong, match="only"):
        list(steps(edit, DATA))


def made(change: dict[str, Any]) -> list[Any]:
    (edit,) = read([change])
    return [(step.verb, step.path, step.value) for step in steps(edit, DATA)]


def test_a_masked_secret_stays_as_it_is() -> None:
    assert made({"op": "set", "key": "media.secret", "value": "***"}) == []
    value = {"login": "a", "ha1_md5": "***", "note": "m", "enabled": True, "users": []}
    row = {"op": "update", "list": "auth.credentials", "index": 0, "value": value}
    assert made(row) == [("set", ("auth", "credentials", 0, "note"), "m")]


def test_a_new_row_does_not_say_what_is_default() -> None:
    value = {"name": "3", "pattern": "", "destinations": ["x"], "enabled": True, "note": None}
    assert made({"op": "add", "list": "routing.plans", "value": value}) == [
        ("insert", ("routing", "plans"), {"name": "3", "destinations": ["x"]})
    ]


def test_nothing_takes_a_key_of_a_row_out() -> None:
    change = {"op": "update", "list": "auth.credentials", "index": 0, "value": {"note": None}}
    assert made(change) == [("unset", ("auth", "credentials", 0, "note"), None)]


INSTANCES_TEXT = """\
[media]
rtpengine = [
  # ours
  "udp:a:1",
  { address = "udp:b:2", enabled = false },  # theirs
]
"""


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        (
            {"op": "add", "value": {"address": "udp:c:3", "enabled": True}},
            ["# ours", '"udp:a:1",', '{ address = "udp:b:2", enabled = false },  # theirs',
             '"udp:c:3",'],
        ),
        (
            {"op": "update", "index": 0, "value": {"enabled": False}},
            ["# ours", '{address = "udp:a:1", enabled = false},',
             '{ address = "udp:b:2", enabled = false },  # theirs'],
        ),
        (
            {"op": "update", "index": 1, "value": {"address": "udp:b:2", "enabled": True}},
            ["# ours", '"udp:a:1",', '"udp:b:2",  # theirs'],
        ),
        (
            {"op": "move", "index": 1, "to": 0},
            ['{ address = "udp:b:2", enabled = false },  # theirs', "# ours", '"udp:a:1",'],
        ),
        ({"op": "delete", "index": 1}, ["# ours", '"udp:a:1",']),
    ],
)  # fmt: skip
def test_a_row_may_be_one_text_of_a_list(change: dict[str, Any], lines: list[str]) -> None:
    document, data = Document(Path("x.toml"), INSTANCES_TEXT), tomllib.loads(INSTANCES_TEXT)
    (edit,) = read([{**change, "list": "media.rtpengine"}])
    for step in steps(edit, data):
        step.on_document(document)
        step.on_data(data)
    assert [line.strip() for line in document.text.splitlines()[2:-1]] == lines
    assert tomllib.loads(document.text) == data


def test_the_first_row_of_such_a_list_is_put_where_its_default_stood() -> None:
    document = Document(Path("x.toml"), "[media]\n# NG\n#rtpengine = []\n#mode = 1\n")
    (edit,) = read([{"op": "add", "list": "media.rtpengine", "value": {"address": "udp:c:3"}}])
    for step in steps(edit, {}):
        step.on_document(document)
    assert document.text == '[media]\n# NG\nrtpengine = ["udp:c:3"]\n#mode = 1\n'


TEXTS = st.text(max_size=12)
PLANS = st.fixed_dictionaries(
    {"name": TEXTS, "destinations": st.lists(TEXTS | st.just({"to": "x", "ring": 3}), max_size=3)},
    optional={"note": TEXTS, "enabled": st.booleans()},
)
LISTS = st.sampled_from(["routing.plans", "auth.credentials", "directory.entries"])
NUMBERS = st.integers(0, 4)
INSTANCES = st.fixed_dictionaries({"address": TEXTS}, optional={"enabled": st.booleans()})
RTPENGINES = st.just("media.rtpengine")
CHANGES = st.one_of(
    st.fixed_dictionaries(
        {"op": st.just("set"), "key": st.just("network.port"), "value": st.integers(0, 9)}
    ),
    st.fixed_dictionaries(
        {
            "op": st.just("set"),
            "key": st.sampled_from(["auth.realm", "network.domain", "registrar.name"]),
            "value": TEXTS,
        }
    ),
    st.fixed_dictionaries(
        {
            "op": st.just("set"),
            "key": st.sampled_from(["network.guard.exempt", "auth.trusted", "wan.stun_servers"]),
            "value": st.lists(TEXTS, max_size=3),
        }
    ),
    st.fixed_dictionaries(
        {
            "op": st.just("unset"),
            "key": st.sampled_from(["auth.realm", "network.guard.burst", "routing.plans[0].name"]),
        }
    ),
    st.fixed_dictionaries(
        {
            "op": st.just("set"),
            "key": st.just("media.rtpengine[0].enabled"),
            "value": st.booleans(),
        }
    ),
    st.fixed_dictionaries(
        {"op": st.just("add"), "list": RTPENGINES, "at": st.none() | NUMBERS, "value": INSTANCES}
    ),
    st.fixed_dictionaries(
        {"op": st.just("update"), "list": RTPENGINES, "index": NUMBERS, "value": INSTANCES}
    ),
    st.fixed_dictionaries({"op": st.just("delete"), "list": RTPENGINES, "index": NUMBERS}),
    st.fixed_dictionaries(
        {"op": st.just("move"), "list": RTPENGINES, "index": NUMBERS, "to": NUMBERS}
    ),
    st.fixed_dictionaries(
        {"op": st.just("add"), "list": LISTS, "at": st.none() | NUMBERS, "value": PLANS}
    ),
    st.fixed_dictionaries(
        {"op": st.just("update"), "list": LISTS, "index": NUMBERS, "value": PLANS}
    ),
    st.fixed_dictionaries({"op": st.just("delete"), "list": LISTS, "index": NUMBERS}),
    st.fixed_dictionaries({"op": st.just("move"), "list": LISTS, "index": NUMBERS, "to": NUMBERS}),
)


LAYOUTS = (
    TEXT,
    "",
    'network.domain = "x"\nauth = {realm = "r", credentials = [{login = "a"}]}\n'
    'routing.plans = [{name = "1"}]\n',
    '[network]\ndomain = "x"\n[[routing.plans]]\nname = "1"\n[auth]\nrealm = "q"\n'
    '[[routing.plans]]\nname = "2"\n[[auth.credentials]]\nlogin = "z"\n',
    '[network]\ndomain = """\nx"""\nguard = {burst = 5}\n[directory]\nentries = []\n',
    '[network.guard]\nexempt = [\n  "1.2.3.4",  # a\n  "5.6.7.8",\n]\n#burst = 1\n[routing]\n'
    'plans = [\n  {name = "1"},\n  {name = "2"},  # two\n]\n',
    '[media]\nrtpengine = ["a", "b"]  # both\n',
    '[media]\nrtpengine = [\n  # 1\n  "a",\n  {address = "b", enabled = false}  # 2\n]\n',
    '[media]\n[[media.rtpengine]]\naddress = "a"\n# 2\n[[media.rtpengine]]\naddress = "b"\n',
)


@given(st.sampled_from(LAYOUTS), st.lists(CHANGES, max_size=8))
def test_a_document_says_what_its_data_says(text: str, changes: list[dict[str, Any]]) -> None:
    """Whatever is done to both, and no remark of what is still there is lost."""
    document = Document(Path("x.toml"), text)
    data = tomllib.loads(text)
    for edit in read(changes):
        try:
            taken = list(steps(edit, data))
        except Wrong:
            continue
        for step in taken:
            step.on_document(document)
            step.on_data(data)
            assert settled(tomllib.loads(document.text)) == settled(data)
    if text is not TEXT:
        return
    assert "# head" in document.text
    assert "# ours" in document.text
    rows = [row.get("name", row.get("pattern")) for row in held(data, "routing.plans")]
    for number, remark in (("1", "# the first"), ("2.*", "# the second")):
        if number in rows:
            assert remark in document.text
