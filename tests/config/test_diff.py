from pathlib import Path

from centrex.config.diff import diff, diff_values
from centrex.config.keys import catalogue
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


def test_what_a_change_does_to_passwords_is_told_by_the_realm_in_force() -> None:
    def words(before: str, after: str) -> dict[str, str]:
        old, new = (load_text(text, file=Path("x.toml")).config for text in (before, after))
        return {change.key: change.calls for change in diff(old, new)}

    one, other = 'network.domain = "one.example"\n', 'network.domain = "two.example"\n'
    same = words(one, f'{one}auth.realm = "one.example"')
    assert same == {"auth.realm": "the realm stays what it is: passwords go on"}
    assert "set anew" in words(one, f'{one}auth.realm = "else"')["auth.realm"]
    moved = words(one, other)["network.domain"]
    assert moved.startswith("waits for a restart; phones must register anew")
    assert moved.endswith('passwords are set anew, or auth.realm is "one.example"')
    kept = words(one, f'{other}auth.realm = "one.example"')
    assert "passwords" not in kept["network.domain"]
    assert kept["auth.realm"] == "the realm stays what it is: passwords go on"


def test_a_setting_of_a_later_version_waits_for_nothing() -> None:
    (change,) = diff(config(""), config("wan.enabled = true"))
    assert (change.effect, change.calls) == (
        "live", "no effect yet: takes effect with a later version",
    )  # fmt: skip


def test_each_change_that_waits_for_a_restart_says_so() -> None:
    for key in catalogue().values():
        assert (key.effect == "restart") == ("a restart" in key.calls), key.name


def test_what_a_change_opens_is_told() -> None:
    def words(before: str, after: str) -> str:
        (told,) = (change.calls for change in diff(config(before), config(after)))
        return told

    usual = words("", "auth.nonce_life = 60")
    assert words("", "auth.enabled = false") == (
        f"{usual}; anybody can register and call as anybody, without a password"
    )
    assert words("auth.enabled = false", "") == usual
    assert words("", 'auth.methods = ["REGISTER"]') == (
        f"{usual}; anybody can call as anybody, without a password"
    )
    assert words('auth.methods = ["REGISTER"]', 'auth.methods = ["INVITE"]') == (
        f"{usual}; anybody can register as anybody, without a password"
    )
    assert words('auth.methods = ["INVITE"]', "") == usual
    assert words('auth.trusted = ["192.0.2.1"]', 'auth.trusted = ["192.0.2.1", "10.0.0.0/24"]') == (
        f"{usual}; whoever sends from 10.0.0.0/24 can register and call as anybody, without a password"
    )
    assert words('auth.trusted = ["192.0.2.1"]', "auth.trusted = []") == usual
    assert words("", "auth.login_must_match_user = false") == (
        f"{usual}; a login can register and call as any user"
    )


def test_what_becomes_of_the_phones_of_a_login_that_goes_is_told() -> None:
    def words(before: str, after: str) -> dict[str, str]:
        return {
            change.key: change.calls
            for change in diff(config(before), config(after))
            if "registered" in change.calls
        }

    stays, enabled = (
        "phones it has registered stay so until that expires; ",
        "auth.credentials[%s].enabled",
    )
    one, off = row("1001", "0"), "enabled = false\n"
    told = words(one, one + off)[enabled % "1001"]
    assert told.startswith("applies at once; calls in progress go on; phones it has")
    assert told.endswith(f"{stays}`centrex registrations remove sip:1001@x` ends them")
    assert words(one, "") == {
        enabled % "1001": f"{stays}`centrex registrations remove sip:1001@x` ends them"
    }
    several = row("desk", "0") + 'users = ["10", "11 a"]\n'
    command = "`centrex registrations remove ADDRESS` ends those of a user"
    assert words(several, "") == {enabled % "desk": stays + command}
    other = several.replace('"10", "11 a"', '"11 a"')
    assert words(other, "")[enabled % "desk"].endswith(" remove sip:11%20a@x` ends them")
    group = several.replace('"10", "11 a"', '"*"')
    assert words(group, "") == {enabled % "desk": stays + command}
    assert words(one + off, one) == words("", one) == words(one + off, "") == {}
