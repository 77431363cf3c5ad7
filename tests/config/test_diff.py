from pathlib import Path

from centrex.config.diff import diff, diff_values
from centrex.config.load import load_text
from centrex.config.model import Config
from centrex.config.values import flatten


def config(text: str) -> Config:
    return load_text(f'network.domain = "x"\n{text}', file=Path("x.toml")).config


def row(login: str, digit: str) -> str:
    return f'[[auth.credentials]]\nlogin = "{login}"\nha1_md5 = "{digit * 32}"\n'


def test_a_change_tells_its_effect() -> None:
    changes = {
        c.key: c for c in diff(config(""), config("network.port = 5070\nauth.nonce_life = 60"))
    }
    assert (changes["network.port"].old, changes["network.port"].new) == (5060, 5070)
    assert changes["network.port"].effect == "restart"
    assert "sockets" in changes["network.port"].calls
    assert changes["auth.nonce_life"].effect == "live"
    assert len(changes) == 2


def test_the_same_has_no_changes() -> None:
    assert diff(config(row("a", "0")), config(row("a", "0"))) == ()


def test_a_removed_row_is_not_a_change_of_the_others() -> None:
    changes = diff(config(row("a", "0") + row("b", "1")), config(row("b", "1")))
    assert {change.key.rpartition(".")[0] for change in changes} == {"auth.credentials[a]"}
    assert all(change.new is None for change in changes)


def test_a_changed_secret_counts_and_stays_hidden() -> None:
    (change,) = diff(config(row("a", "0")), config(row("a", "1")))
    assert (change.key, change.old, change.new) == ("auth.credentials[a].ha1_md5", "***", "***")


def test_flat_views_compare_too() -> None:
    old, new = flatten(config("")), flatten(config("wan.enabled = true"))
    (change,) = diff_values(old, new)
    assert change.key == "wan.enabled"
    assert "later version" in change.calls
