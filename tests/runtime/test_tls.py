import os
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from centrex.base import ConfigError
from centrex.runtime.tls import TlsContexts, check_identity
from tests.support.certificates import Certificates


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.make(tmp_path_factory.mktemp("tls"), "voip.test", "127.0.0.1")


def problem_of(certificate: Path | str, key: Path | str) -> tuple[str, str]:
    with pytest.raises(ConfigError) as refused:
        TlsContexts(certificate, key, config_file="a.toml")
    (problem,) = refused.value.problems
    assert problem.file == "a.toml"
    return problem.key, problem.message


def test_a_certificate_with_its_key_serves_both_directions(made: Certificates) -> None:
    contexts = TlsContexts(made.certificate, made.key, authorities=made.authority)
    assert contexts.server is not None
    assert contexts.server.minimum_version is ssl.TLSVersion.TLSv1_2
    assert contexts.client.minimum_version is ssl.TLSVersion.TLSv1_2
    assert contexts.client.verify_mode is ssl.CERT_REQUIRED
    assert contexts.server.verify_mode is ssl.CERT_NONE


def test_without_a_certificate_we_only_call() -> None:
    contexts = TlsContexts()
    assert contexts.server is None
    assert contexts.client.verify_mode is ssl.CERT_REQUIRED


def test_one_file_may_hold_both(made: Certificates, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(made.key.read_bytes() + made.certificate.read_bytes())
    assert TlsContexts(both).server is not None


def test_every_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        TlsContexts(tmp_path / "a.pem", tmp_path / "a.key")
    assert [p.key for p in refused.value.problems] == ["network.tls_certificate", "network.tls_key"]
    assert all("No such file" in p.message for p in refused.value.problems)


def test_what_is_wrong_is_told_in_words(made: Certificates, tmp_path: Path) -> None:
    other = Certificates.make(tmp_path / "other", "other.test")
    assert problem_of(made.certificate, other.key) == (
        "network.tls_key",
        f"the key in {other.key} does not belong to {made.certificate}",
    )
    assert problem_of(made.key, made.key) == (
        "network.tls_certificate",
        f"{made.key} holds no certificate in PEM form",
    )
    assert problem_of(made.certificate, made.certificate) == (
        "network.tls_key",
        f"{made.certificate} holds no private key in PEM form",
    )
    folder_key, folder_why = problem_of(tmp_path, made.key)
    assert (folder_key, "directory" in folder_why) == ("network.tls_certificate", True)
    garbage = tmp_path / "garbage.pem"
    garbage.write_text(
        "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n"
        "-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----\n"
    )
    assert "cannot be used" in problem_of(garbage, garbage)[1]


def test_a_key_under_a_password_is_refused_without_asking(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - slow to import

    issued = trustme.CA().issue_cert("voip.test")
    key = serialization.load_pem_private_key(issued.private_key_pem.bytes(), None)
    certificate, locked = tmp_path / "a.pem", tmp_path / "a.key"
    certificate.write_bytes(issued.cert_chain_pems[0].bytes())
    locked.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    where, why = problem_of(certificate, locked)
    assert where == "network.tls_key"
    assert "protected by a password" in why


def test_authorities_must_be_some(made: Certificates) -> None:
    with pytest.raises(ConfigError, match="no usable list of certificate authorities"):
        TlsContexts(authorities=made.key)


def test_files_that_change_make_new_contexts(tmp_path: Path) -> None:
    made = Certificates.make(tmp_path, "voip.test")
    contexts = TlsContexts(made.certificate, made.key)
    server, client = contexts.server, contexts.client
    assert not contexts.reload_if_changed()
    assert contexts.server is server
    Certificates.make(tmp_path, "voip.test")
    assert contexts.reload_if_changed()
    assert contexts.server is not server
    assert contexts.client is not client
    server = contexts.server
    os.unlink(made.key)
    for _ in range(2):
        with pytest.raises(ConfigError, match="No such file"):
            contexts.reload_if_changed()
    assert contexts.server is server


def alternatives(*names: tuple[str, str]) -> dict[str, Any]:
    return {"subject": ((("commonName", "cn.test"),),), "subjectAltName": names}


@pytest.mark.parametrize(
    ("certificate", "name"),
    [
        (alternatives(("DNS", "Voip.Test")), "voip.test."),
        (alternatives(("DNS", "a.test"), ("DNS", "voip.test")), "VOIP.test"),
        (alternatives(("DNS", "a.test"), ("URI", "sip:voip.test")), "voip.test"),
        (alternatives(("IP Address", "192.0.2.1")), "192.0.2.1"),
        (alternatives(("IP Address", "2001:DB8:0:0:0:0:0:1")), "2001:db8::1"),
        ({"subject": ((("commonName", "voip.test"),),)}, "voip.test"),
    ],
)
def test_a_certificate_belongs_to_the_names_it_bears(
    certificate: dict[str, Any], name: str
) -> None:
    assert check_identity(certificate, name) == ""


@pytest.mark.parametrize(
    ("certificate", "name", "why"),
    [
        (alternatives(("DNS", "a.test")), "voip.test", "is for a.test, not for voip.test"),
        (alternatives(("DNS", "cn.test"), ("URI", "sip:a.test")), "cn.test", "is for a.test"),
        (alternatives(("DNS", "a.test"), ("URI", "sip:u@cn.test")), "cn.test", "is for a.test"),
        (alternatives(("DNS", "*.test")), "voip.test", "wildcards are not accepted"),
        (alternatives(("IP Address", "192.0.2.1")), "cn.test", "bears no domain name"),
        (alternatives(("DNS", "192.0.2.1")), "192.0.2.1", "bears no IP address"),
        (alternatives(("IP Address", "192.0.2.2")), "192.0.2.1", "is for 192.0.2.2"),
        ({}, "voip.test", "bears no domain name"),
    ],
)
def test_a_certificate_belongs_to_nobody_else(
    certificate: dict[str, Any], name: str, why: str
) -> None:
    assert why in check_identity(certificate, name)
