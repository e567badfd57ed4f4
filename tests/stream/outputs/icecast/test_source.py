"""A source client trusts no stranger, says what the station is, and tells each refusal in a sentence."""

import socket
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from model.base.errors import OutputError
from stream.outputs.encoded import OutputEndedError
from stream.outputs.icecast import source
from stream.outputs.icecast.source import open_mount
from stream.outputs.kinds import icecast as icecast_kind
from stream.outputs.kinds.icecast import IcecastOutput, IcecastSettings
from tests.support.certificates import Certificate, make_certificate, openssl_program
from tests.support.heard import RATE_HZ, Feeder, decode, music, residual_db, wait_until
from tests.support.icecast_server import (
    SOURCE_PASSWORD,
    IcecastServer,
    icecast_program,
    icecast_server,
    icecast_settings,
)
from tests.support.listening import Recording
from tests.support.peer import Peer
from tests.support.real import require_real


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    require_real("no openssl: install it", openssl_program() is not None)
    return make_certificate(tmp_path_factory.mktemp("tls") / "right")


@pytest.fixture(scope="module")
def server(certificate: Certificate) -> Iterator[IcecastServer]:
    require_real(
        "no icecast2: install it, for instance `apt install icecast2`", icecast_program() is not None
    )
    with icecast_server(certificate=certificate.with_key) as running:
        yield running


def refusal(address: str, kind: type[Exception] = OutputError) -> str:
    settings = icecast_settings(address, SOURCE_PASSWORD)
    with pytest.raises(kind) as raised:
        opened(settings)
    told = "".join(traceback.format_exception(raised.value)) + repr(settings)
    for secret in (SOURCE_PASSWORD, settings.mount.authorization):
        assert secret not in told
    assert "\n" not in str(raised.value)
    return str(raised.value)


def opened(settings: IcecastSettings) -> socket.socket:
    return open_mount(settings.mount, settings.station, settings.codec, settings.bitrate_kbps)


def test_over_tls_the_stream_and_its_title_arrive(server: IcecastServer, certificate: Certificate) -> None:
    sound = music(8)
    address = f"icecasts://127.0.0.1:{server.tls_port}/tls.mp3?ca-file={certificate.file}"
    output = IcecastOutput(icecast_settings(address, SOURCE_PASSWORD), RATE_HZ)
    assert output.name == f"icecasts://127.0.0.1:{server.tls_port}/tls.mp3"
    output.entitle("Artist - Title", 0)
    output.start()
    wait_until(lambda: output.status().state == "playing", "it plays")
    with Feeder(output, sound, speed=4) as feeder:
        wait_until(lambda: output.status().frames_out > RATE_HZ, "something was sent")
        listener, reader = Recording(server, "/tls.mp3"), Recording(server, "/tls.mp3", titles=True)
        wait_until(lambda: feeder.done and output.status().buffered_s == 0, "all is offered and taken")
    output.close()
    # What it sent last arrives as well.
    heard, rate_hz = decode(listener.finish())
    assert residual_db(sound, heard[: 5 * rate_hz], rate_hz, skip_s=0.5) < -60
    assert b"StreamTitle='Artist - Title';" in reader.finish()
    assert output.status().reconnects == 0


def test_a_certificate_that_nobody_trusts_is_refused(server: IcecastServer) -> None:
    told = refusal(f"icecasts://127.0.0.1:{server.tls_port}/a.mp3")
    assert told.startswith("the server's certificate is refused (self-signed certificate)")
    assert "ca-file=FILE" in told


def test_a_certificate_for_another_name_is_refused(certificate: Certificate, server: IcecastServer) -> None:
    told = refusal(f"icecasts://localhost:{server.tls_port}/a.mp3?ca-file={certificate.file}")
    assert told.startswith("the server's certificate is refused (Hostname mismatch")


def test_a_server_without_tls_is_told(
    server: IcecastServer, peer_of: Callable[[bytes], Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = peer_of(b"HTTP/1.0 400 Bad Request\r\n\r\n")
    told = refusal(f"icecasts://127.0.0.1:{peer.port}/a.mp3")
    assert told == f"the server does not speak TLS at 127.0.0.1:{peer.port}; is it icecast:// there?"
    assert "does it want icecasts://?" in refusal(f"icecast://127.0.0.1:{peer_of(b'').port}/a.mp3")
    # icecast2 waits for the end of a request.
    monkeypatch.setattr(source, "CONNECT_TIMEOUT_S", 0.5)
    with pytest.raises(TimeoutError):
        opened(icecast_settings(f"icecasts://127.0.0.1:{server.port}/a.mp3", SOURCE_PASSWORD))


def test_a_file_without_certificates_is_refused_before_any_music(tmp_path: Path) -> None:
    for text, reason in (("nothing", "it holds none in PEM form"), (None, "No such file")):
        file = tmp_path / f"{reason[:2]}.pem"
        if text is not None:
            file.write_text(text)
        settings = icecast_settings(f"icecasts://h/a.mp3?ca-file={file}", "p")
        with pytest.raises(OutputError, match=reason):
            settings.require()
    with pytest.raises(OutputError, match="names certificates without TLS"):
        icecast_settings("icecast://h/a.mp3?ca-file=x.pem", "p")


def test_the_station_says_what_it_is(server: IcecastServer) -> None:
    texts = "name=Nächte%20%E2%80%93%20ohne+Ende&genre=Ambient&description=Alles&url=https://radio.example/"
    address = f"icecast://127.0.0.1:{server.port}/station.mp3?{texts}&public=0"
    with closing(opened(icecast_settings(address, SOURCE_PASSWORD))) as connection:
        connection.sendall(bytes(8192))
        answers = []

        def heard() -> bool:
            answers.append(server.listen("/station.mp3"))
            return answers[-1].status == 200

        wait_until(heard, "the mount is there")
        told = {name: text.encode("latin-1").decode() for name, text in answers[-1].getheaders()}
    assert told["icy-name"] == "Nächte – ohne Ende"
    assert (told["icy-genre"], told["icy-description"]) == ("Ambient", "Alles")
    assert (told["icy-url"], told["icy-pub"], told["icy-br"]) == ("https://radio.example/", "0", "128")


@pytest.fixture
def peer_of() -> Iterator[Callable[[bytes], Peer]]:
    peers: list[Peer] = []

    def make(answer: bytes) -> Peer:
        peers.append(Peer(lambda peer, connection, request: connection.sendall(answer)))
        return peers[-1]

    yield make
    for peer in peers:
        peer.close()


def test_headers_of_ones_own_are_sent(peer_of: Callable[[bytes], Peer]) -> None:
    peer = peer_of(b"HTTP/1.1 100 Continue\r\n\r\n")
    options = "public=1&header=X-Relay:%20yes&header=Ice-Audio-Info:bitrate%3D128"
    opened(icecast_settings(f"icecast://127.0.0.1:{peer.port}/a.mp3?{options}", "p")).close()
    lines = peer.asked[0].decode().split("\r\n")
    assert lines[0] == "PUT /a.mp3 HTTP/1.1"
    assert {"X-Relay: yes", "Ice-Audio-Info: bitrate=128", "Ice-Public: 1", "Ice-Name: endlos"} <= set(lines)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("header=X-Relay", "header=X-Relay has no colon; expected header=Name: value"),
        ("header=X%20Relay:1", "'X Relay' is no name of a header"),
        ("header=X:a%0D%0AAuthorization:%20b", "the text of X is 'a.*expected one line"),
        ("name=a%0Ab", "the text of Ice-Name is"),
        ("header=authorization:x", "the header authorization is endlos's own to send"),
        ("description=" + "x" * 501, "the text of Ice-Description has 501 bytes; expected 500 at most"),
        ("&".join(f"header=X{n}:{'x' * 450}" for n in range(5)), "bytes; expected 2000 at most"),
        ("public=yes", "public=yes; expected 1 or 0"),
        ("nme=x", r"unknown option nme \(did you mean name\?\)"),
    ],
)
def test_what_a_station_cannot_say(options: str, sentence: str) -> None:
    with pytest.raises(OutputError, match=sentence) as raised:
        icecast_settings(f"icecast://h/a.mp3?{options}", "p")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ("415 Unsupported Media Type", "the server does not take flac (415 Unsupported Media Type)"),
        ("403 Content-type not supported", "the server does not take flac (403 Content-type not supported)"),
        ("403 Mountpoint in use", "the mount /a.flac is in use (403 Mountpoint in use)"),
        ("403 too many sources", "the server refuses the stream (403 too many sources)"),
    ],
)
def test_what_a_server_refuses_is_a_sentence(
    peer_of: Callable[[bytes], Peer], answer: str, sentence: str
) -> None:
    peer = peer_of(f"HTTP/1.1 {answer}\r\n\r\n".encode())
    told = refusal(f"icecast://127.0.0.1:{peer.port}/a.flac")
    assert told.startswith(sentence)


def test_a_host_that_is_not_there_is_a_sentence() -> None:
    assert refusal("icecast://no-such-host.invalid/a.mp3").startswith("there is no host no-such-host.invalid")


def test_a_mount_in_use_and_a_wrong_password_at_a_real_server(server: IcecastServer) -> None:
    address = f"icecast://127.0.0.1:{server.port}/taken.mp3"
    with closing(opened(icecast_settings(address, SOURCE_PASSWORD))):
        assert refusal(address).startswith("the mount /taken.mp3 is in use (403 Mountpoint in use)")
    with pytest.raises(OutputEndedError, match="refuses the password of user source"):
        wrong = icecast_settings(address, "wrong")
        wait_until(lambda: bool(answered(wrong)), "an answer")


def answered(settings: IcecastSettings) -> bool:
    """Return False where icecast2 has cut the connection before its answer was read, as now and then."""
    try:
        opened(settings).close()
    except ConnectionError:
        return False
    return True


def test_every_option_stands_in_the_page_for_operators() -> None:
    page = Path(__file__).resolve().parents[4] / "docs" / "icecast.md"
    for option in icecast_kind.OPTIONS:
        assert f"`{option}`" in page.read_text(encoding="utf-8")
