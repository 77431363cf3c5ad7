import pytest
from pydantic import ValidationError

from centrex.base.address import split_address
from centrex.config.metrics import Settings


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:9090", ("127.0.0.1", 9090)),
        ("[::1]:9090", ("::1", 9090)),
        ("localhost:1", ("localhost", 1)),
    ],
)
def test_an_address_has_a_host_and_a_port(text: str, address: tuple[str, int]) -> None:
    assert split_address(text) == address
    assert Settings(listen=text).listen == text


@pytest.mark.parametrize(
    "text", ["9090", ":9090", "::1:9090", "[::1]", "a:", "a:0", "a:65536", "a:9o", "a:-1", "a:²"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="port"):
        Settings(listen=text)


def test_nothing_is_served_by_default() -> None:
    assert Settings().listen == ""
