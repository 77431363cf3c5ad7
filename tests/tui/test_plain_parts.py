"""The parts of the dashboard that need no screen."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from centrex.config.describe import describe
from tests.support.pretend import AT, CALL, FORBIDDEN, HOSTILE
from tui.activity import Activity, Ring
from tui.commands import completions, find
from tui.draft import CREDENTIALS, Draft
from tui.filter import Filter
from tui.help import PAGES
from tui.history import History, at
from tui.ladder import Ladder, label, raw_lines, style_of
from tui.places import SCREENS
from tui.screens.help import pages_of_settings, unfolded
from tui.values import Objection, as_shown, as_text, bounds, explained, parse
from tui.widgets.lines import clean, fit, wrap
from tui.widgets.settings_area import relay_fact
from tui.words import bars, clock, day_and_time, figure, listeners, many, person, span, tall_bars


@given(st.lists(st.lists(st.integers(), max_size=30), max_size=20), st.integers(1, 25))
def test_a_ring_keeps_the_newest_and_counts_what_it_forgot(
    batches: list[list[int]], limit: int
) -> None:
    ring, everything = Ring(limit), []
    for batch in batches:
        ring.extend([{"n": number} for number in batch])
        everything += batch
    kept = [row["n"] for row in ring]
    assert kept == everything[-limit:] if everything else kept == []
    assert ring.gone == len(everything) - len(kept)
    assert [ring[index]["n"] for index in range(len(ring))] == kept
    assert len(ring._rows) <= 2 * limit + max((len(batch) for batch in batches), default=0)


def test_errors_are_shown_whatever_is_switched_off() -> None:
    activity = Activity()
    activity.hidden = {"calls", "errors"}
    assert not activity.wants({"kind": "calls"})
    assert activity.wants({"kind": "errors"})


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ("", True), ("alice", True), ("ALICE", True), ("!alice", False), ("state:up", True),
        ("state:ring", False), ("!state:ring", True), ('"alice b"', True), ("alice carol", False),
        ("unknown:up", False), ("sip:alice", True),
    ],
)  # fmt: skip
def test_the_filter_language(words: str, kept: bool) -> None:
    row = {"who": "Alice B sip:alice@x", "state": "up"}
    assert Filter(words, ("who", "state")).keeps(row) is kept


def test_times_are_those_of_the_reader_s_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    clock.cache_clear()
    try:
        with monkeypatch.context() as patch:
            patch.setenv("TZ", "EST5")
            time.tzset()
            assert clock("2026-11-26T03:15:02.125Z") == "22:15:02.125"
            assert day_and_time("2026-11-26T03:15:02.125Z") == "2026-11-25 22:15:02"
    finally:
        time.tzset()
        clock.cache_clear()


def test_one_of_a_thing_has_the_word_for_one() -> None:
    assert [many(count, "phone") for count in (0, 1, 2)] == ["0 phones", "1 phone", "2 phones"]


def test_figures_and_spans_are_short() -> None:
    assert [figure(n) for n in (0, 999, 9999, 12_345, 1_234_567, 3.25)] == [
        "0", "999", "9999", "12.3k", "1.2M", "3.2",
    ]  # fmt: skip
    assert span(93784) == "1 d 02:03:04"
    assert clock("2026-11-26T09:15:02.125Z") == "09:15:02.125"
    assert day_and_time("2026-11-26T09:15:02.125Z") == "2026-11-26 09:15:02"
    assert (clock("soon"), day_and_time("soon")) == ("soon", "soon")
    assert person("sip:1001@example.com") == "1001"
    assert person('"A" <sip:1001@example.com>;tag=1') == "1001"
    both = [{"transport": t, "host": "::1", "port": 5060} for t in ("udp", "tcp")]
    assert listeners(both) == "udp/tcp [::1]:5060"


@given(st.lists(st.floats(0, 1e6), max_size=50), st.integers(1, 40))
def test_sparklines_are_as_wide_as_asked(values: list[float], width: int) -> None:
    assert len(bars(values, width)) == width
    assert all(len(line) == width for line in tall_bars(values, width, 3))


def test_the_history_takes_what_a_snapshot_has_and_zero_for_what_it_has_not() -> None:
    history = History()
    history.take({"calls": {"now": 3}})
    assert list(history.series("calls.now")) == [3.0]
    assert list(history.series("relays.packets_per_s")) == [0.0]
    assert at({"a": {"b": 1}}, "a.c", 7) == 7


@given(st.text(), st.integers(1, 60))
def test_text_fits_exactly_and_nothing_in_it_commands_a_terminal(text: str, width: int) -> None:
    fitted = fit(text, width)
    assert cell_len(fitted) == width
    assert fitted.isprintable()
    assert all(cell_len(line) <= width for line in wrap(text, width) if width > 1)


def test_hostile_text_is_spelled_out() -> None:
    shown = clean(HOSTILE)
    assert not any(bad in shown for bad in FORBIDDEN)
    assert "[bold]markup[/bold]" in shown


def test_commands_are_found_by_name_alias_and_nearest() -> None:
    command, argument, _ = find(":regs 1001")
    assert command is not None
    assert (command.name, argument) == ("phones", "1001")
    assert find("cals")[0] is None
    assert find("cals")[2] == "calls"
    assert "config auth" in completions()


# -- values ----------------------------------------------------------------------------------

PORT = {"key": "network.port", "type": "integer", "minimum": 0, "maximum": 65535, "unit": ""}
NAMES = {"key": "routing.plans[].destinations", "type": "text", "list": True}
TIMES = {"key": "times", "type": "text", "list": True}


def test_values_are_typed_as_they_are_shown() -> None:
    assert parse("5070", PORT) == 5070
    assert parse("30 s", {**PORT, "unit": "s"}) == 30
    assert parse("1001, 1002 (15 s)", NAMES) == ["1001", {"to": "1002", "ring": 15}]
    assert as_text(["1001", {"to": "1002", "ring": 15}]) == "1001, 1002 (15 s)"
    assert parse("mon,wed 08:00-12:00; sat", TIMES) == ["mon,wed 08:00-12:00", "sat"]
    assert as_text(["mon,wed 08:00-12:00", "sat"], "times") == "mon,wed 08:00-12:00; sat"
    assert parse("on", {"type": "boolean"}) is True
    assert as_shown("***", {"secret": True}) == "•••••• (set)"
    assert "geheim" not in as_shown("geheim", {"secret": True})
    assert as_shown(True, {}) == "✓ yes"
    assert as_shown(30, {"unit": "s"}) == "30 s"
    assert as_shown(0, {"unit": "s"}) == "0 s"
    assert as_shown(0, {"unit": "s", "zero": "none"}) == "none"
    assert as_shown(False, {"zero": "none"}) == "✗ no"
    assert parse("None", {"type": "integer", "zero": "none", "minimum": 0}) == 0
    assert parse("0", {"type": "integer", "zero": "none", "minimum": 0}) == 0
    with pytest.raises(Objection):
        parse("none", {"type": "integer", "minimum": 0})
    assert "default none" in explained({**PORT, "default": 0, "zero": "none"})[1]


@pytest.mark.parametrize(
    ("typed", "spec", "why"),
    [
        ("x", PORT, "whole number"),
        ("70000", PORT, "between 0 and 65535"),
        ("maybe", {"type": "boolean"}, "yes or no"),
        ("31000-31020", {"type": "integer", "list": True}, "numbers, with a comma between"),
        ("1002(15 s)", NAMES, "a blank before"),
        ("blue", {"type": "text", "choices": ["red", "green"]}, "one of red, green"),
    ],
)
def test_objections_are_in_words(typed: str, spec: dict[str, object], why: str) -> None:
    with pytest.raises(Objection, match=why):
        parse(typed, spec)


def test_a_key_is_explained_with_bounds_default_and_effect() -> None:
    assert bounds({"minimum": 5, "maximum": None}) == "5 or more"
    words, facts, effect = explained(
        {**PORT, "help": "Where.", "default": 5060, "effect": "restart"}
    )
    assert words == "Where."
    assert "between 0 and 65535" in facts
    assert "default 5060" in facts
    assert effect == "waits for a restart"
    assert "later version" in explained({**PORT, "available": False})[2]


# -- drafts ----------------------------------------------------------------------------------


def opened(*plans: str, fingerprint: str = "f1") -> dict[str, object]:
    return {
        "file": "x.toml",
        "fingerprint": fingerprint,
        "values": {
            "network": {"port": 5060},
            "routing": {"plans": [{"name": name, "enabled": True} for name in plans]},
            "auth": {"credentials": [{"login": "1001", "users": []}]},
        },
        "origins": {"network.port": "file"},
    }


def test_edits_are_collected_undone_and_told_in_order() -> None:
    draft = Draft(opened("a", "b"))
    draft.set("network.port", 5070)
    assert draft.value("network.port") == 5070
    draft.set("network.port", 5060)
    assert len(draft) == 0
    draft.unset("network.port", 5060)
    draft.add("routing.plans", {"name": "c", "enabled": True})
    assert draft.move("routing.plans", 2, 0)
    assert not draft.move("routing.plans", 0, -1)
    draft.update("routing.plans", 1, {"name": "a", "enabled": False})
    draft.delete("routing.plans", 2)
    assert [row["name"] for row in draft.rows("routing.plans")] == ["c", "a"]
    assert [one["op"] for one in draft.changes()] == ["unset", "add", "move", "update", "delete"]
    assert draft.changes()[3]["value"] == {"enabled": False}
    assert draft.undo("routing.plans")
    assert len(draft.rows("routing.plans")) == 3
    draft.clear()
    assert draft.changes() == []


def test_a_login_that_is_deleted_and_taken_back_has_its_password_again() -> None:
    draft = Draft(opened())
    draft.add(CREDENTIALS, {"login": "1009"})
    draft.password("1009", None)
    place = len(draft.rows(CREDENTIALS)) - 1
    draft.delete(CREDENTIALS, place)
    assert "password" not in [one["op"] for one in draft.changes()]
    assert draft.undo(CREDENTIALS)
    assert [one["op"] for one in draft.changes()] == ["add", "password"]
    draft.delete(CREDENTIALS, place)
    draft.add(CREDENTIALS, {"login": "1009"})
    draft.password("1009", "again")
    told = [(one["op"], one.get("password", "")) for one in draft.changes()]
    assert told == [("add", ""), ("delete", ""), ("add", ""), ("password", "again")]


def test_a_login_and_its_password_go_together() -> None:
    draft = Draft(opened())
    draft.add(CREDENTIALS, {"login": "1002"})
    draft.password("1002", None)
    assert draft.rows(CREDENTIALS)[1]["_mark"] == "new password"
    draft.undo(CREDENTIALS)
    assert draft.changes() == []
    draft.add(CREDENTIALS, {"login": "1002"})
    draft.password("1002", "x")
    draft.delete(CREDENTIALS, 1)
    assert [one["op"] for one in draft.changes()] == ["add", "delete"]


def test_edits_are_carried_to_a_file_that_others_changed_where_that_is_safe() -> None:
    draft = Draft(opened("a", "b"))
    draft.set("network.port", 5070)
    draft.delete("routing.plans", 1)
    draft.password("1001", None)
    same, lost = draft.rebased(opened("a", "b", fingerprint="f2"))
    assert (same.fingerprint, lost, len(same)) == ("f2", [], 3)
    other, lost = draft.rebased(opened("b", "a", fingerprint="f3"))
    assert [one["op"] for one in other.changes()] == ["set", "password"]
    assert "routing.plans was changed by somebody else" in lost[0]


def test_a_password_goes_with_the_row_that_is_dropped() -> None:
    draft = Draft(opened())
    draft.password("1001", "x")
    others = opened(fingerprint="f2")
    others["values"] = {"auth": {"credentials": [{"login": "1001"}, {"login": "2000"}]}}
    assert [one["op"] for one in draft.rebased(others)[0].changes()] == ["password"]
    draft.add(CREDENTIALS, {"login": "1005", "note": "new"})
    draft.password("1005", None)
    draft.delete(CREDENTIALS, 0)
    fresh, lost = draft.rebased(others)
    assert fresh.changes() == []
    assert len(lost) == 1


def test_edits_made_while_others_are_applied_start_where_those_end() -> None:
    draft = Draft(opened("a", "b"))
    draft.set("network.port", 5070)
    draft.delete("routing.plans", 0)
    later = draft.handed_over()
    assert (len(later), later.value("network.port"), later.origin("network.port")) == (
        0,
        5070,
        "file",
    )
    assert later.rows("routing.plans") == [{"name": "b", "enabled": True}]
    later.set("network.port", 5060)
    later.update("routing.plans", 0, {"enabled": False})
    # nothing was applied: both are wished again, and the port is as it was
    whole = draft.joined(later)
    assert [one["op"] for one in whole.changes()] == ["delete", "update"]
    assert whole.rows("routing.plans")[0]["enabled"] is False
    # applied: the rows have more keys in the file, and are the same
    later.now_in("f2")
    written = opened("b", fingerprint="f2")
    written["values"]["network"]["port"] = 5070  # type: ignore[index]
    written["values"]["routing"]["plans"][0]["note"] = ""  # type: ignore[index]
    rest, lost = later.rebased(written)
    assert lost == []
    assert [one["op"] for one in rest.changes()] == ["set", "update"]
    assert len(draft) == 2


# -- ladders ---------------------------------------------------------------------------------


def test_a_ladder_points_each_arrow_from_its_sender_to_its_receiver() -> None:
    ladder = Ladder(CALL["parties"], CALL["entries"], 100)
    lines = ladder.as_text().splitlines()
    assert lines[2].index("│") < lines[2].index("INVITE 1002") < lines[2].index("►")
    answer = next(line for line in lines if "407 Proxy" in line)
    assert answer.index("◄") < answer.index("407")
    assert any("◆ it was asked for a password" in line for line in lines)
    assert len(Ladder(CALL["parties"], CALL["entries"], 100, decisions=False).entries) == 11


def test_the_head_of_a_ladder_tells_users_and_where_they_are() -> None:
    parties = ["udp 192.0.2.7:5060", "centrex", "tls [2001:db8::7]:5061"]
    users = dict(zip(parties[::2], ("1001", "1002"), strict=True))
    names, _ = Ladder(parties, (), 100, users=users).head()
    told = " ".join(text.strip() for text, _ in names).split()
    assert told == ["1001", "192.0.2.7:5060", "centrex", "1002", "[2001:db8::7]:5061"]
    assert "udp 192.0.2.7:5060" in Ladder(parties, (), 100).as_text()


def test_an_acknowledgement_of_a_refusal_names_it_and_nobody_else() -> None:
    a, here, b = CALL["parties"]
    told = [
        (a, here, "INVITE sip:1002@example.com"), (here, a, "407 Proxy Authentication Required (INVITE)"),
        (a, here, "ACK sip:1002@example.com"), (a, here, "INVITE sip:1002@example.com"),
        (here, b, "INVITE sip:1002@203.0.113.9"), (b, here, "486 Busy Here (INVITE)"),
        (here, b, "ACK sip:1002@203.0.113.9"), (here, a, "200 OK (INVITE)"),
        (here, a, "481 Call/Transaction Does Not Exist (BYE)"), (a, here, "ACK sip:1002@example.com"),
    ]  # fmt: skip
    entries = [
        {"at": AT, "kind": "message", "from": sender, "to": to, "summary": summary}
        for sender, to, summary in told
    ]
    entries.insert(2, {"at": AT, "kind": "decision", "rule": "challenged", "text": "asked"})
    acks = [
        line
        for line in Ladder(CALL["parties"], entries, 120).as_text().splitlines()
        if "ACK" in line
    ]
    assert ["ACK (407)" in acks[0], "ACK (486)" in acks[1], "ACK 1002" in acks[2]] == [True] * 3


def test_messages_are_told_by_what_they_are() -> None:
    assert label("SIP/2.0 180 Ringing") == "180 Ringing"
    assert label("INVITE sip:1002@example.com SIP/2.0") == "INVITE 1002"
    styles = [style_of(s) for s in ("SIP/2.0 200 OK", "SIP/2.0 486 Busy", "BYE sip:x SIP/2.0")]
    assert styles == ["good", "bad", "info"]
    assert style_of("SIP/2.0") == "info"
    assert style_of("") == "info"


def test_a_raw_message_keeps_its_lines() -> None:
    lines = ["".join(text for text, _ in line) for line in raw_lines(CALL["entries"][0])]
    assert "Call-ID: call-1@192.0.2.7" in lines
    assert "m=audio 4000 RTP/AVP 0" in lines


def test_paragraphs_of_a_help_page_are_unfolded() -> None:
    text = (
        "One line\nand its end.\n\nExamples:\n  9(.*)  to  x\n  1..    to  y\n# Head\nmore\nof it"
    )
    assert unfolded(text) == (
        "One line and its end.\n\nExamples:\n  9(.*)  to  x\n  1..    to  y\n# Head\nmore of it"
    )


@pytest.mark.parametrize("mode", ["registrations", "calls", "relays", "bans"])
def test_a_live_screens_page_tells_of_its_keys_what_they_do(mode: str) -> None:
    screen: Any = SCREENS[mode]
    page = PAGES[mode].text
    for binding in type(screen()).__dict__["BINDINGS"]:
        assert f" {binding.key} " in page, binding.key
    if mode == "registrations":
        assert "d forgets that phone, D all phones of its user" in page


def test_the_page_of_a_tab_tells_each_setting_once() -> None:
    pages = pages_of_settings({one["table"]: one for one in describe()["tables"]})
    told = pages["auth"].text.split("\n")
    for name in ("Realm", "Methods", "Algorithms"):
        assert len([line for line in told if line.startswith(f"{name}:")]) == 1
    every = "\n".join(told)
    for key in describe()["tables"][0]["keys"]:
        assert f"{key['label']}:" in pages["basic"].text, key
    assert "Credentials file:" in every


def test_relays_that_drain_are_online_and_said_to_drain() -> None:
    on, drains, gone = ({"state": one} for one in ("available", "draining", "gone"))
    assert relay_fact([{**on, "path": "ebpf"}, drains, gone]) == (
        "2 of 3 online, 1 draining, ebpf",
        "good",
    )
    assert relay_fact([drains]) == ("1 of 1 online, 1 draining", "warn")
    assert relay_fact([gone]) == ("0 of 1 online", "bad")
    assert relay_fact([]) == ("none", "dim")
