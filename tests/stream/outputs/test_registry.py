"""The registry reads what stands behind `--output`, and says what is wrong with the rest."""

from pathlib import Path

import pytest

from model.base.errors import EndlosError
from stream.outputs.address import HttpAddress
from stream.outputs.kinds.file import FileSettings
from stream.outputs.kinds.hls import HlsSettings
from stream.outputs.kinds.http import HttpSettings
from stream.outputs.kinds.icecast import IcecastSettings
from stream.outputs.kinds.pipe import PipeSettings
from stream.outputs.kinds.soundcard import SoundCardSettings
from stream.outputs.listeners.broadcast import ListenerLimits
from stream.outputs.place import Place, Tap
from stream.outputs.registry import KINDS, read_output
from stream.outputs.secrets import PASSWORD_VARIABLE


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("device:", SoundCardSettings()),
        ("device:default", SoundCardSettings()),
        ("device:3", SoundCardSettings(device=3)),
        (
            "device:USB%20Audio?latency=0.05&block=128&volume=-6",
            SoundCardSettings(device="USB Audio", latency=0.05, block_frames=128, volume_db=-6.0),
        ),
        ("device:?latency=auto", SoundCardSettings(latency="auto")),
        ("http://127.0.0.1:9000", HttpSettings(at=HttpAddress(port=9000))),
        (
            "http://[::1]:80/?codec=mp3&codec=opus",
            HttpSettings(at=HttpAddress(host="::1", port=80), codecs=("mp3", "opus")),
        ),
        (
            "http://0.0.0.0:80?name=radio.example&name=other.example",
            HttpSettings(at=HttpAddress(host="0.0.0.0", port=80, names=("radio.example", "other.example"))),
        ),
        (
            "http://127.0.0.1:80?listeners=2000&listeners-of-address=100",
            HttpSettings(at=HttpAddress(port=80), limits=ListenerLimits(listeners=2000, of_address=100)),
        ),
        ("HTTP://localhost:1", HttpSettings(at=HttpAddress(host="localhost", port=1))),
        ("file:a.flac", FileSettings(path=Path("a.flac"))),
        ("file:My Music/a b.wav?bits=16", FileSettings(path=Path("My Music/a b.wav"), bits=16)),
        ("file:///tmp/a.mp3?bitrate=320", FileSettings(path=Path("/tmp/a.mp3"), bitrate_kbps=320)),
        ("hls:www/hls", HlsSettings(folder=Path("www/hls"))),
        (
            "hls:///srv/a b?codec=aac&codec=flac&bitrate=64&bitrate=192&segment=4&keep=60",
            HlsSettings(
                folder=Path("/srv/a b"),
                codecs=("aac", "flac"),
                bitrates_kbps=(64, 192),
                segment_s=4,
                keep_s=60,
            ),
        ),
        ("pipe:-", PipeSettings()),
        (
            "pipe:/run/fifo?format=f32le&rate=48000",
            PipeSettings(path=Path("/run/fifo"), sample_format="f32le", rate_hz_asked=48_000),
        ),
    ],
)
def test_an_address_is_read(text: str, place: Place) -> None:
    assert read_output(text) == place


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "iceast://h/a.mp3",
            r"iceast: is no kind .*\(did you mean icecast\?\); expected device:.*file:",
        ),
        ("speaker", r"'speaker' is no kind of output; expected"),
        ("", "'' is no kind of output"),
        ("https://h:1", r"https: is no kind of output \(did you mean http\?\)"),
        ("http://h", "'h' is no address; expected HOST:PORT"),
        ("http://h:1/stream", r"is not an address to serve; expected http://HOST:PORT"),
        ("http://h:1?codec=wav", "there is no codec 'wav'; take one of mp3"),
        ("http://h:1?codecs=mp3", r"unknown option codecs \(did you mean codec\?\); expected codec"),
        ("http://h:1?listeners=0", "0 listeners are asked for; expected 1 to 10000"),
        ("http://h:1?listeners=many", "says listeners=many; expected a whole number"),
        ("device:?latency=fast", "'fast' is no latency; expected low, high"),
        ("device:?latncy=low", r"unknown option latncy \(did you mean latency\?\)"),
        ("device:?block=-1", "says block=-1; expected a whole number"),
        ("device:?volume=loud", "says volume=loud; expected a number"),
        ("device:?volume=6", "the volume is 6 dB; give -60 to 0"),
        ("device:?volume=-1&volume=-2", "gives volume 2 times; give it once"),
        ("file:", "names no file; expected file:PATH"),
        ("file:a.wav?bits=8", "asked for with 8 bits; expected 16 or 24"),
        ("file:a.mp3?bitrate=9", "asked for with 9 kbit/s; expected 32, 40, .* or 320, which are all"),
        ("file:a.mp3?bits=16", "asked for with 16 bits; .mp3 files have a bit rate instead"),
        ("file:a.flac?bitrate=320", "asked for with 320 kbit/s; .flac files have bits instead"),
        ("hls:d?codec=flac&bitrate=192", "asked for with a bit rate; FLAC takes what it needs"),
        ("hls:", "names no folder; expected hls:DIR"),
        ("hls:d?codec=mp3", r"there is no codec 'mp3' of HLS; take one of aac, flac, opus"),
        ("hls:d?codec=oppus", r"\(did you mean opus\?\)"),
        ("hls:d?bitrate=x", "says bitrate=x; expected a whole number"),
        ("hls:d?bitrate=999", "asked for with 999 kbit/s; expected 32 to 320"),
        ("hls:d?segment=7", "segments of 7 s; expected 1 to 6"),
        ("hls:d?keep=3", "is to list 3 s; expected 6, which is three segments, to 3600"),
        ("pipe:", "names no pipe; expected pipe:PATH.*, or pipe:- for standard output"),
        ("pipe:-?format=s16", r"there is no format 's16' of a pipe \(did you mean s16le\?\)"),
        ("pipe:x?rate=1", "pipe:x is asked for at 1 Hz; expected 8000 to 192000"),
        ("http://me:hidden@h:1", r"http://h:1 is not an address to serve"),
        ("device:me:hidden@h?x=1", "unknown option x"),
    ],
)
def test_what_is_none_is_told_in_one_sentence_without_a_password(text: str, sentence: str) -> None:
    with pytest.raises(EndlosError, match=sentence) as refusal:
        read_output(text)
    assert "\n" not in str(refusal.value)
    assert "hidden" not in str(refusal.value)


def test_there_are_connections_for_all_who_may_listen_and_for_others() -> None:
    place = read_output("http://127.0.0.1:80?codec=mp3&codec=opus&listeners=2000&listeners-of-address=100")
    at = place.address()
    assert at is not None
    spare = HttpAddress().limits
    assert at.limits == spare.and_also(2 * 2000, 2 * 100)
    assert spare.connections >= 200
    assert spare.of_address >= 32


def test_a_password_comes_from_a_file_that_the_address_names_or_from_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "environment")
    (tmp_path / "own").write_text("own\n")
    (tmp_path / "common").write_text("common\n")

    def password(options: str, file: Path | None = None) -> str:
        place = read_output(f"icecast://h/a.mp3{options}", file)
        assert isinstance(place, IcecastSettings)
        return place.mount.password

    assert password("") == "environment"
    assert password("", tmp_path / "common") == "common"
    assert password(f"?password-file={tmp_path / 'own'}", tmp_path / "common") == "own"


def test_every_kind_has_a_scheme_of_its_own_and_says_what_it_is() -> None:
    assert len({kind.scheme for kind in KINDS}) == len(KINDS)
    for kind in KINDS:
        assert kind.form.startswith(f"{kind.scheme}:")
        assert kind.summary


def test_every_output_says_of_which_kind_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "secret")
    addresses = (
        "device:",
        "http://h:1",
        "icecast://h/a.mp3",
        "icecasts://h/a.mp3",
        "hls:a",
        "file:a.wav",
        "pipe:-",
    )
    assert [address.partition(":")[0] for address in addresses] == [kind.scheme for kind in KINDS]
    for address in addresses:
        kinds = {output.kind for output in read_output(address).open(Tap(engine_rate_hz=44_100))}
        assert kinds == {address.partition(":")[0].replace("icecasts", "icecast")}
