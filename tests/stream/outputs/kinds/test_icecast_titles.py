"""Titles reach the listeners of every codec that can have them, in step with the sound."""

import socket
from urllib.parse import parse_qs, urlsplit

import pytest

from model.base.errors import OutputError
from stream.outputs.icecast import admin_titles
from stream.outputs.kinds.icecast import IcecastOutput
from tests.support.heard import RATE_HZ, Feeder, begins_at_s, decode, music, residual_db, wait_until
from tests.support.icecast_server import (
    SOURCE_PASSWORD,
    IcecastServer,
    icecast_settings,
)
from tests.support.listening import Recording
from tests.support.ogg_links import ogg_links
from tests.support.peer import Peer


def output_of(server: IcecastServer, mount: str) -> IcecastOutput:
    settings = icecast_settings(f"icecast://127.0.0.1:{server.port}{mount}", SOURCE_PASSWORD)
    return IcecastOutput(settings, RATE_HZ)


@pytest.mark.parametrize(
    ("address", "bound_db", "within_s"),
    [("/a.ogg", -26, 0.02), ("/a.opus?titles=in-band", -24, 0.02), ("/a.flac?titles=in-band", -75, 0.02)],
)
def test_a_title_in_ogg_begins_a_stream_where_its_sound_begins(
    server: IcecastServer, address: str, bound_db: float, within_s: float
) -> None:
    sound, turn_s = music(10), 6.0
    output = output_of(server, address)
    output.entitle("Ärtist - Erstes", 0)
    output.entitle("„Größe“ – € - Zweites", round(turn_s * RATE_HZ))
    output.start()
    wait_until(lambda: output.status().state == "playing", "it plays")
    with Feeder(output, sound, speed=4) as feeder:
        wait_until(lambda: output.status().frames_out > RATE_HZ, "something was sent")
        listener = Recording(server, address.partition("?")[0])
        wait_until(lambda: feeder.done and output.status().buffered_s == 0, "all is offered and taken")
    output.close()
    assert "metadata" not in server.access_log(), "a title told beside Vorbis may silence its mount for good"
    # Who joins gets the header first: the first stream is there twice where the server chains it anew.
    *_, first, second = (link for link in ogg_links(listener.finish()) if link.title)
    assert (first.artist, first.title) == ("Ärtist", "Erstes")
    assert (second.artist, second.title) == ("„Größe“ – €", "Zweites")
    heard, rate_hz = decode(second.data)
    assert begins_at_s(sound, heard, rate_hz) == pytest.approx(turn_s, abs=within_s)
    # What follows the sound is silence.
    heard = heard[: round((len(sound) / RATE_HZ - turn_s) * rate_hz)]
    assert residual_db(sound, heard, rate_hz, skip_s=0.4) < bound_db


@pytest.mark.parametrize("mount", ["/a.opus", "/a.flac"])
def test_opus_and_flac_have_no_titles_unless_they_are_asked_for(server: IcecastServer, mount: str) -> None:
    output = output_of(server, mount)
    output.entitle("First", 0)
    output.start()
    with Feeder(output, music(5), speed=4, loop=True):
        wait_until(lambda: output.status().frames_out > RATE_HZ, "something was sent")
        listener = Recording(server, mount)
        output.entitle("Second", 0)
        sent = output.status().frames_out
        wait_until(lambda: output.status().frames_out > sent + 6 * RATE_HZ, "the second sounds")
    assert output.status().detail == f"http://127.0.0.1:{server.port}{mount}"
    output.close()
    (link,) = ogg_links(listener.finish())
    assert link.title == ""
    assert "metadata" not in server.access_log()


def test_icecast_refuses_a_title_of_opus_with_status_200(server: IcecastServer) -> None:
    """icecast2 2.4.4: also `<return>1</return>`, as for a title that it takes."""
    output = output_of(server, "/a.opus")
    output.start()
    with Feeder(output, music(5), loop=True):
        wait_until(lambda: output.status().frames_out > RATE_HZ, "something was sent")
        settings = icecast_settings(f"icecast://127.0.0.1:{server.port}/a.opus", SOURCE_PASSWORD)
        titles = admin_titles.AdminTitles(settings.mount)
        titles.tell("Artist - Title")
        assert titles.fault == "the title was not taken (Mountpoint will not accept URL updates)"
    output.close()


def test_a_title_that_was_refused_is_told_again_and_then_no_more(server: IcecastServer) -> None:
    settings = icecast_settings(f"icecast://127.0.0.1:{server.port}/a.mp3", SOURCE_PASSWORD)
    titles = admin_titles.AdminTitles(settings.mount)
    titles.tell("Artist - Title")
    # There is no such mount yet.
    assert "400" in titles.fault
    output = output_of(server, "/a.mp3")
    output.start()
    with Feeder(output, music(5), loop=True):
        wait_until(lambda: output.status().frames_out > RATE_HZ, "something was sent")

        def told() -> bool:
            titles.tell("Artist - Title")
            return not titles.fault

        wait_until(told, "it is taken")
        asked = server.access_log().count("metadata")
        titles.tell("Artist - Title")
        assert server.access_log().count("metadata") <= asked + 1
    output.close()


def test_titles_in_band_are_for_what_has_no_others() -> None:
    with pytest.raises(OutputError, match="into which the server itself puts titles"):
        icecast_settings("icecast://h/a.mp3?titles=in-band", "p")
    with pytest.raises(OutputError, match="titles=all; expected titles=in-band"):
        icecast_settings("icecast://h/a.opus?titles=all", "p")


def test_a_server_that_is_not_icecast_is_told_artist_and_title_apart() -> None:
    def serve(peer: Peer, connection: socket.socket, request: bytes) -> None:
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nUpdated metadatas for mount /a.mp3")

    peer = Peer(serve)
    mount = icecast_settings(f"icecast://127.0.0.1:{peer.port}/a.mp3", "p").mount
    titles = admin_titles.AdminTitles(mount)
    for title in ("Artist - Title", "Alone", "Ärtist - Other"):
        titles.tell(title)
    assert titles.fault == ""
    peer.close()
    asked = [
        parse_qs(urlsplit(each.decode().split()[1]).query, keep_blank_values=True) for each in peer.asked
    ]
    told = [
        {name: words[name][0] for name in ("song", "artist", "title") if name in words} for words in asked
    ]
    assert told == [
        {"song": "Artist - Title"},
        {"artist": "Artist", "title": "Title"},
        {"artist": "", "title": "Alone"},
        {"artist": "Ärtist", "title": "Other"},
    ]
    assert all(words["charset"] == ["UTF-8"] and words["mount"] == ["/a.mp3"] for words in asked)
