"""Certificates that do not fit. The system's PostgreSQL speaks TLS, the wheel's does not."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from dbvitals.sandbox import PostgresServer, find_all_postgres, start_postgres
from dbvitals.sandbox.account import choose_account
from tests.acceptance.bad_days.conftest import Refused
from tests.acceptance.cli.conftest import Run


@dataclass(frozen=True)
class Tls:
    """A server whose certificate is for the name localhost, and certificates that are files."""

    server: PostgresServer
    certificate: Path
    another: Path

    @property
    def env(self) -> dict[str, str]:
        password = psycopg.conninfo.conninfo_to_dict(self.server.dsn())["password"]
        names = {"POSTGRES_USER": "postgres", "POSTGRES_PASSWORD": str(password), "POSTGRES_DB": "postgres"}
        return names | {"POSTGRES_HOST": self.server.host, "POSTGRES_PORT": str(self.server.port)}


def _self_signed(folder: Path, name: str, host: str) -> Path:
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    subprocess.run(
        ["openssl", "req", "-x509", *kind, "-subj", f"/CN={host}", "-out", str(certificate), "-keyout", str(key)],
        check=True,
        capture_output=True,
    )
    key.chmod(0o600)
    return certificate


@pytest.fixture(scope="module")
def tls() -> Iterator[Tls]:
    binaries = next((found for found in find_all_postgres() if found.source != "wheel"), None)
    if binaries is None or shutil.which("openssl") is None:
        pytest.skip("no PostgreSQL of the system, or no openssl")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        certificate = _self_signed(folder, "server", "localhost")
        another = _self_signed(folder, "another", "localhost")
        choose_account().give(certificate.with_suffix(".key"))
        files = {"ssl_cert_file": str(certificate), "ssl_key_file": str(certificate.with_suffix(".key"))}
        with start_postgres(binaries, tcp=True, settings={"ssl": "on", **files}) as server:
            yield Tls(server, certificate, another)


def test_the_right_root_certificate_is_taken(run: Run, tls: Tls) -> None:
    arguments = ("--host", "localhost", "--sslmode", "verify-full", "--sslrootcert", str(tls.certificate))
    done = run("indexes", *arguments, env=tls.env)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_wrong_root_certificate(refused: Refused, tls: Tls) -> None:
    line = refused(3, "--sslmode", "verify-ca", "--sslrootcert", str(tls.another), env=tls.env)
    assert "certificate verify failed" in line
    assert line.endswith(": check --sslrootcert and the name in the server's certificate")


def test_a_certificate_for_another_name(refused: Refused, tls: Tls) -> None:
    line = refused(3, "--sslmode", "verify-full", "--sslrootcert", str(tls.certificate), env=tls.env)
    assert 'server certificate for "localhost" does not match host name "127.0.0.1"' in line
    assert line.endswith(": check --sslrootcert and the name in the server's certificate")


def test_a_root_certificate_that_is_not_there_is_a_wrong_call(refused: Refused, tls: Tls) -> None:
    line = refused(2, "--sslmode", "verify-ca", "--sslrootcert", "absent.pem", env=tls.env)
    assert line.endswith(': root certificate file "absent.pem" does not exist: check --sslrootcert')


@pytest.mark.parametrize(
    ("certificate", "key", "mend"),
    [
        ("folder", "absent.key", "check --sslcert"),
        ("text", "absent.key", "check --sslcert"),
        ("x" * 300, "absent.key", "check --sslcert"),
        ("another.crt", "absent.key", "check --sslkey"),
        ("another.crt", "text", "check --sslkey"),
    ],
)
def test_a_client_s_certificate_that_is_none_is_a_wrong_call(
    refused: Refused, tls: Tls, tmp_path: Path, certificate: str, key: str, mend: str
) -> None:
    shutil.copy(tls.another, tmp_path / "another.crt")
    (tmp_path / "text").write_text("no certificate")
    (tmp_path / "text").chmod(0o600)
    (tmp_path / "folder").mkdir()
    line = refused(2, "--sslmode", "require", "--sslcert", certificate, "--sslkey", key, env=tls.env)
    assert line.startswith(f"cannot connect to {tls.server.host}:{tls.server.port}/postgres: ")
    assert line.endswith(f": {mend}")
