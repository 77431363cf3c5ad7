import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from centrex.runtime.certificate import CertificateAge, complaint, ends_at

DAY = 86_400.0
KEY = ec.generate_private_key(ec.SECP256R1())
NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sip.example.com" * 4)])


def certificate(ends: datetime.datetime) -> bytes:
    built = (
        x509.CertificateBuilder()
        .subject_name(NAME)
        .issuer_name(NAME)
        .public_key(KEY.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC))
        .not_valid_after(ends)
        .sign(KEY, hashes.SHA256())
    )
    return built.public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize("year", [2026, 2049, 2050, 2999])
def test_the_end_is_read_in_both_forms_of_time(tmp_path: Path, year: int) -> None:
    ends = datetime.datetime(year, 3, 4, 5, 6, 7, tzinfo=datetime.UTC)
    file = tmp_path / "a.pem"
    file.write_bytes(b"some words before\n" + certificate(ends))
    assert ends_at(file) == ends.timestamp()


def test_of_a_chain_the_first_end_counts(tmp_path: Path) -> None:
    early, late = (datetime.datetime(year, 1, 1, tzinfo=datetime.UTC) for year in (2030, 2040))
    file = tmp_path / "a.pem"
    file.write_bytes(certificate(late) + certificate(early) + certificate(late))
    assert ends_at(file) == early.timestamp()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
        b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----",
        b"-----BEGIN CERTIFICATE-----\nMIIBMIIB\n-----END CERTIFICATE-----",
    ],
)
def test_what_is_not_understood_has_no_end(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "a.pem"
    file.write_bytes(content)
    assert ends_at(file) is None
    assert ends_at(tmp_path / "none") is None


def test_a_certificate_cut_anywhere_is_not_understood_or_has_its_end(tmp_path: Path) -> None:
    ends = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
    body = certificate(ends).split(b"-----")[2].replace(b"\n", b"")
    file = tmp_path / "a.pem"
    for size in range(0, len(body), 4):
        text = b"-----BEGIN CERTIFICATE-----" + body[:size] + b"\n-----END CERTIFICATE-----"
        file.write_bytes(text)
        assert ends_at(file) in (None, ends.timestamp())


def test_the_complaint_says_when_and_what_to_do() -> None:
    assert complaint(None, 0.0) == ""
    assert complaint(15 * DAY, 0.0) == ""
    assert complaint(14 * DAY, 0.0).startswith(
        "the TLS certificate ends on 1970-01-15 00:00 UTC, in 14 days"
    )
    assert "ended on 1970-01-15 00:00 UTC" in complaint(14 * DAY, 14 * DAY)


def test_it_is_told_once_a_day_until_it_is_renewed(tmp_path: Path) -> None:
    file = tmp_path / "a.pem"
    ends = datetime.datetime(2030, 1, 20, tzinfo=datetime.UTC)
    file.write_bytes(certificate(ends))
    told: list[str] = []
    now = [ends.timestamp() - 20 * DAY]
    age = CertificateAge(str(file), told.append, lambda: now[0])
    age.renewed()
    assert (told, age.complaint) == ([], "")
    now[0] = ends.timestamp() - 1.5 * DAY
    for _ in range(3):
        age.look()
    assert len(told) == 1
    now[0] += DAY
    age.look()
    assert "in 0 days" in told[1]
    now[0] += DAY
    age.look()
    assert "phones refuse it" in told[2] == age.complaint
    file.write_bytes(certificate(ends.replace(year=2031)))
    age.renewed()
    assert (len(told), age.complaint) == (3, "")


def test_without_a_certificate_nothing_is_said() -> None:
    age = CertificateAge("", lambda _: pytest.fail("nothing to say"))
    age.renewed()
    assert age.complaint == ""
