from pathlib import Path

import pytest

from centrex.base import ConfigError
from centrex.config.load import load_text


@pytest.mark.parametrize(
    ("line", "message", "nearest"),
    [
        ("network.port = 70000", "must be at most 65535", ""),
        ("network.max_message_bytes = 1", "must be at least 1500 bytes", ""),
        ("network.port = 5.5", "must be a whole number", ""),
        ("auth.enabled = 1", "must be true or false", ""),
        ("auth.realm = 5", "must be text in quotes", ""),
        ("auth.algorithms = ['sha256']", "'sha256' is none of 'SHA-256' or 'MD5'", "SHA-256"),
        ("auth.algorithms = []", "must not be empty", ""),
        ("network.transports = 'udp'", "must be a list in brackets", ""),
        ("registrar = 5", "must be a table", ""),
        ("registrar.store = 'memry'", "'memry' is none of 'memory' or 'database'", "memory"),
        ("registrar.nme = 'x'", "unknown key", "registrar.name"),
        ("network.gard = {}", "unknown table", "network.guard"),
        ("events.format = 'xml'", "'xml' is none of 'text' or 'json'", ""),
        ("basic.description = '" + "x" * 201 + "'", "must be at most 200 characters", ""),
        ("media.rtpengine = ['x']", "must be udp:host:port, as udp:192.0.2.10:2223", ""),
        ("auth.credentials = [{}]", "is required", ""),
        ("auth.credentials = [{login = ''}]", "must not be empty", ""),
        ("auth.credentials = [{login = 'a b'}]", "must not hold spaces", ""),
        ("wan.pattern = '('", "is no pattern of RE2", ""),
        ("routing.plans = [{}]", "needs either a name or a pattern", ""),
        ("network.port = 2020-01-01", "must be a whole number, without quotes", ""),
    ],
)
def test_problems_are_told_in_words(line: str, message: str, nearest: str) -> None:
    text = f'network.domain = "x"\n{line}\n'
    with pytest.raises(ConfigError) as caught:
        load_text(text, file=Path("x.toml"))
    (problem,) = caught.value.problems
    assert problem.message.startswith(message)
    assert problem.nearest == nearest
    assert problem.line == 2
