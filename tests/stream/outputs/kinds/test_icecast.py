"""The Icecast output reads addresses and keeps a real icecast2 fed that is killed and stalled."""

import logging
import socket
import threading
from pathlib import Path

import numpy as np
import pytest

from model.base.errors import OutputError
from stream.outputs.kinds.icecast import (
    IcecastOutput,
    IcecastSettings,
    icecast_password,
)
from stream.outputs.secrets import PASSWORD_VARIABLE
from tests.support.heard import RATE_HZ, Feeder, decode, music, residual_db, wait_until
from tests.support.icecast_server import (
    SOURCE_PASSWORD,
    IcecastServer,
    icecast_program,
    icecast_server,
    icecast_settings,
)
from tests.support.listening import Recording
from tests.support.real import require_real


def target(
    server: IcecastServer, mount: str = "/endlos.mp3", password: str = SOURCE_PASSWORD
) -> IcecastSettings:
    return icecast_settings(f"icecast://127.0.0.1:{server.port}{mount}", password)


def wait_for(output: IcecastOutput, state: str) -> None:
    try:
        wait_until(lambda: output.status().state == state, f"the output is {state}")
    except pytest.fail.Exception as failure:
        pytest.fail(f"{failure}: {output.status()}")


# Measured: -76, -27, -30, -34, -79 dB.
@pytest.mark.parametrize(
    ("mount", "bound_db"),
    [("/a.mp3", -60), ("/a.opus", -24), ("/a.ogg", -26), ("/a.aac", -30), ("/a.flac", -75)],
)
def test_a_listener_hears_what_was_offered(server: IcecastServer, mount: str, bound_db: float) -> None:
    sound = music(12)
    output = IcecastOutput(target(server, mount), RATE_HZ)
    output.start()
    wait_for(output, "playing")
    with Feeder(output, sound, speed=4) as feeder:
        wait_until(lambda: output.status().frames_out > RATE_HZ, "something was sent")
        listener = Recording(server, mount)
        assert listener.response.status == 200
        wait_until(lambda: feeder.done and output.status().buffered_s == 0, "all is offered and taken")
    output.close()
    # icecast2 cuts AAC anywhere.
    heard, rate_hz = decode(listener.finish(), torn=mount == "/a.aac")
    assert len(heard) > 6 * rate_hz
    assert residual_db(sound, heard, rate_hz, skip_s=0.5) < bound_db
    # Closed in good order: the last thing heard is the fade to nothing.
    assert np.abs(heard[-round(0.005 * rate_hz) :]).max() < 0.05
    assert output.status().frames_out == len(sound)
    assert output.status().dropped_frames == 0


def test_the_stream_and_its_title_return_after_the_server_was_killed(server: IcecastServer) -> None:
    output = IcecastOutput(target(server), RATE_HZ)
    output.entitle("First – Künstler", 0)
    output.start()
    with Feeder(output, music(5), loop=True):
        wait_until(lambda: output.status().frames_out > RATE_HZ, "something was sent")
        server.kill()
        wait_for(output, "reconnecting")
        wait_until(lambda: "refused" in output.status().detail, "the cause is told")
        wait_until(lambda: output.status().dropped_frames > 0, "what cannot be sent is dropped")
        output.entitle("Second", 0)
        server.start()
        wait_for(output, "playing")
        listener = Recording(server, "/endlos.mp3", titles=True)
        wait_until(lambda: b"StreamTitle='Second';" in listener.data, "the title is there")
        output.entitle("Drittes Stück", 0)
        wait_until(
            lambda: "StreamTitle='Drittes Stück';".encode("latin-1") in listener.data, "the title changes"
        )
    plain = Recording(server, "/endlos.mp3")
    with Feeder(output, music(3)) as feeder:
        wait_until(lambda: feeder.done, "all is offered")
    output.close()
    assert output.status().reconnects >= 1
    assert np.abs(decode(plain.finish())[0]).max() > 0.1


def test_a_title_that_did_not_change_is_sent_again_after_a_reconnect(server: IcecastServer) -> None:
    def wait_for_title() -> None:
        listener = Recording(server, "/endlos.mp3", titles=True)
        wait_until(lambda: b"StreamTitle='Still the same';" in listener.data, "the title is told")

    output = IcecastOutput(target(server), RATE_HZ)
    output.entitle("Still the same", 0)
    output.start()
    with Feeder(output, music(5), loop=True):
        wait_for(output, "playing")
        wait_for_title()
        server.kill()
        wait_for(output, "reconnecting")
        server.start()
        wait_for(output, "playing")
        wait_for_title()
    output.close()


@pytest.mark.parametrize(
    ("title", "told"),
    [
        ("Ärtist - Stück", "StreamTitle='Ärtist - Stück';".encode("latin-1")),
        ("Artist - „Größe“ – €", "StreamTitle='Artist - „Größe“ – €';".encode()),
        ("Artist - It';s so", "StreamTitle='Artist - It’;s so';".encode()),
        ("Long - " + "x" * 5000, b"StreamTitle='Long - " + b"x" * 2100 + b"';"),
        ("Länger - " + "ü" * 5000, "StreamTitle='Länger - ".encode("latin-1") + b"\xfc" * 350 + b"';"),
    ],
    ids=["latin", "unicode", "quotes", "long", "long when encoded"],
)
def test_a_listener_reads_artist_and_title_as_they_are(
    server: IcecastServer, title: str, told: bytes
) -> None:
    output = IcecastOutput(target(server), RATE_HZ)
    output.entitle(title, 0)
    output.start()
    with Feeder(output, music(5), loop=True):
        wait_for(output, "playing")
        listener = Recording(server, "/endlos.mp3", titles=True)
        wait_until(lambda: told in listener.data, "the title is told")
    assert "title" not in output.status().detail
    output.close()


def test_a_song_without_an_artist_does_not_keep_the_last_one(server: IcecastServer) -> None:
    output = IcecastOutput(target(server), RATE_HZ)
    output.entitle("Alone", 0)
    output.start()
    with Feeder(output, music(5), loop=True):
        wait_for(output, "playing")
        listener = Recording(server, "/endlos.mp3", titles=True)
        wait_until(lambda: b"StreamTitle='Alone';" in listener.data, "the title is told")
        output.entitle("Somebody - Something", 0)
        wait_until(lambda: b"StreamTitle='Somebody - Something';" in listener.data, "both are told")
        output.entitle("Again", 0)
        wait_until(lambda: b"StreamTitle='Again';" in listener.data, "the artist is gone")
    output.close()


def test_a_wrong_password_is_told_and_no_password_is(
    server: IcecastServer, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "not-the-one-0815"
    wrong = target(server, password=secret)
    output = IcecastOutput(wrong, RATE_HZ)
    output.start()
    # Now and then icecast2 cuts the connection before its answer is read; the next attempt tells.
    wait_until(
        lambda: output.status().detail.startswith("the server refuses the password of user source (401)"),
        "the cause is told",
        instead=lambda: (output.status(), server.error_log()[-2000:]),
    )
    # No waiting mends it.
    wait_for(output, "stopped")
    status = output.status()
    assert status.detail.startswith("the server refuses the password of user source (401)")
    wait_until(lambda: output.name not in {t.name for t in threading.enumerate()}, "its thread ends")
    output.close()

    right = IcecastOutput(target(server), RATE_HZ)
    right.start()
    wait_for(right, "playing")
    server.kill()
    wait_for(right, "reconnecting")
    told = [repr(status), repr(right.status()), repr(wrong), repr(right), caplog.text, *capfd.readouterr()]
    right.close()
    told += [thread.name for thread in threading.enumerate()]
    told += [Path("/proc/self/cmdline").read_text()] if Path("/proc/self/cmdline").exists() else []
    for text in told:
        assert secret not in text
        assert SOURCE_PASSWORD not in text


def test_a_second_source_on_the_mount_is_refused_and_says_so(server: IcecastServer) -> None:
    first, second = (IcecastOutput(target(server), RATE_HZ) for _ in range(2))
    first.start()
    wait_for(first, "playing")
    second.start()
    wait_for(second, "reconnecting")
    assert "403" in second.status().detail
    first.close()
    wait_for(second, "playing")
    second.close()


def test_a_stalled_server_blocks_nobody(server: IcecastServer) -> None:
    # Lossless noise and a good pace fill the buffers between here and there.
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (2 * RATE_HZ, 2)).astype(np.float32)
    output = IcecastOutput(target(server, "/a.flac"), RATE_HZ)
    output.start()
    wait_for(output, "playing")
    server.stall()
    with Feeder(output, noise, speed=20, loop=True) as feeder:
        wait_until(lambda: output.status().dropped_frames > 0, "the ring is full")
        offers = feeder.offers
        wait_until(lambda: feeder.offers > offers + 20, "blocks are still taken")
        server.resume()
        sent = output.status().frames_out
        wait_until(lambda: output.status().frames_out > sent, "the stream goes on")
        server.stall()
        dropped = output.status().dropped_frames
        wait_until(lambda: output.status().dropped_frames > dropped, "the ring is full again")
        output.close()
        assert output.status().state == "stopped"
        wait_until(lambda: output.name not in {t.name for t in threading.enumerate()}, "its thread ends")
    server.resume()


def test_silence_keeps_the_mount_when_nothing_is_offered() -> None:
    require_real(
        "no icecast2: install it, for instance `apt install icecast2`", icecast_program() is not None
    )
    with icecast_server(source_timeout_s=3) as server:
        output = IcecastOutput(target(server), RATE_HZ)
        output.start()
        wait_until(lambda: output.status().underrun_frames > 5 * RATE_HZ, "5 s of silence are sent")
        assert (output.status().state, output.status().reconnects) == ("playing", 0)
        assert output.status().audible_ago_s is None
        output.close()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("icecast://localhost:8000/a.mp3", ("localhost", 8000, "/a.mp3", "source", "mp3", 128)),
        ("icecast://me@example.org/a.opus", ("example.org", 8000, "/a.opus", "me", "opus", 96)),
        ("icecast://h:1/a.ogg?bitrate=192", ("h", 1, "/a.ogg", "source", "vorbis", 192)),
        ("icecast://h:1/radio", ("h", 1, "/radio", "source", "mp3", 128)),
        ("icecast://h:1/a.mp3?format=aac", ("h", 1, "/a.mp3", "source", "aac", 128)),
        ("icecast://[::1]:9/a/b c.mp3", ("::1", 9, "/a/b%20c.mp3", "source", "mp3", 128)),
    ],
)
def test_addresses(text: str, expected: tuple[object, ...]) -> None:
    read = icecast_settings(text, "secret")
    mount = read.mount
    assert (mount.host, mount.port, mount.path, mount.user, read.codec, read.bitrate_kbps) == expected
    assert mount.password == "secret"
    assert "secret" not in repr(read)
    assert "@" not in mount.url


@pytest.mark.parametrize(
    ("text", "password", "sentence"),
    [
        ("icecast://source:hidden@h:1/a.mp3", "p", "was given with a password in it"),
        ("icecast://source:hidden@h:1/a.mp3", None, "was given with a password in it"),
        ("icecast://source:hidden@h:port/a.mp3", "p", "is not an Icecast address"),
        ("icecast://h:1/a.mp3", None, f"needs the source password; set {PASSWORD_VARIABLE}"),
        ("http://h:1/a.mp3", "p", "is not an Icecast address; expected icecast://"),
        ("icecast://h:1", "p", "is not an Icecast address"),
        ("icecast:///a.mp3", "p", "is not an Icecast address"),
        ("icecast://h:99999/a.mp3", "p", "is not an Icecast address"),
        ("icecast://h/a.mp3?format=wav", "p", "asks for the format wav; expected one of mp3"),
        ("icecast://h/a.mp3?bitrate=lots", "p", "asks for the bit rate lots"),
        ("icecast://h/a.mp3?bitrate=100", "p", "asked for with 100 kbit/s; expected 32, 40, "),
        ("icecast://h/a.ogg?bitrate=32", "p", "asked for with 32 kbit/s; expected 64 to 500"),
        ("icecast://h/a.flac?bitrate=64", "p", "FLAC takes what it needs"),
        ("icecast://h/a.mp3?password=hidden", "p", "has the unknown option password"),
    ],
)
def test_addresses_that_are_refused(text: str, password: str | None, sentence: str) -> None:
    with pytest.raises(OutputError) as refusal:
        icecast_settings(text, password)
    assert sentence in str(refusal.value)
    assert "source:hidden" not in str(refusal.value)


def test_where_the_password_comes_from(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("from the file \nand more\n")
    assert icecast_password(file, {PASSWORD_VARIABLE: "x"}) == "from the file "
    assert icecast_password(None, {PASSWORD_VARIABLE: "x"}) == "x"
    assert icecast_password(None, {}) is None
    file.write_text("")
    with pytest.raises(OutputError, match="is empty"):
        icecast_password(file, {})
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(OutputError, match="not UTF-8"):
        icecast_password(file, {})
    with pytest.raises(OutputError, match="No such file"):
        icecast_password(tmp_path / "none", {})


def test_a_server_that_is_no_http_server_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            connection.recv(4096)
            connection.sendall(b"220 mail.example ESMTP\r\n\r\n")
            connection.close()

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        port = listening.getsockname()[1]
        output = IcecastOutput(icecast_settings(f"icecast://127.0.0.1:{port}/a.mp3", "p"), RATE_HZ)
        output.start()
        wait_until(lambda: "does not speak HTTP" in output.status().detail, "the cause is told")
        output.close()
        thread.join()
