"""The configuration file is read whole, and whatever is wrong with it is one sentence that says where."""

from pathlib import Path
from urllib.parse import quote

import pytest
import typer

from model.base.errors import EndlosError
from stream.outputs.kinds.icecast import IcecastSettings
from stream.outputs.registry import output_below, read_output
from tools.app import app
from tools.config.addresses import address_password, known_passwords, masked_address
from tools.config.file import CONFIG_VARIABLE, ConfigFile, find_config, read_config, usual_places
from tools.config.options import option_sections


def read(tmp_path: Path, text: str, mode: int = 0o600) -> ConfigFile:
    path = tmp_path / "endlos.toml"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return read_config(path, option_sections(typer.main.get_command(app)))


def test_sections_are_commands_and_keys_are_options_with_either_dash(tmp_path: Path) -> None:
    said = read(
        tmp_path,
        '[serve]\nsource = "/music"\nhttp = 8000\nother-songs = 0.25\nmax_phrase_s = 9\nforce = true\n'
        'codec = "opus"\n[pool.build]\nmusic = ["/music"]\njobs = 1\n[demo-songs]\nsongs = 3\n',
    )
    assert said.defaults == {
        "serve": {
            "source": "/music",
            "http": "8000",
            "other_songs": "0.25",
            "max_phrase_s": "9",
            "force": True,
            "codec": ["opus"],
        },
        "pool": {"build": {"music": ["/music"], "jobs": "1"}},
        "demo-songs": {"songs": "3"},
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[sevre]\nhttp = 1\n", "unknown section [sevre] (did you mean serve?)"),
        ("[pool.bulid]\njobs = 1\n", "unknown section [pool.bulid] (did you mean pool.build?)"),
        ("http = 1\n", "http in no section"),
        ("serve = 1\n", "expected a section [serve]"),
        ("[serve]\nhtpp = 1\n", "unknown key htpp (did you mean http?) in [serve]"),
        ("[serve]\nsilence-db = -3\n", "it belongs to [pool.build]"),
        ('[serve]\nother-songs = "half"\n', "other-songs in [serve] is 'half'; it should be a valid number"),
        ("[serve]\nother-songs = 2\n", "it should be less than or equal to 1"),
        ('[serve]\nforce = "yes"\n', 'force in [serve] is "yes"; expected true or false'),
        ("[serve]\nhttp = true\n", "http in [serve] is true; expected a text or a number"),
        ("[serve]\nhttp = [1, 2]\n", "http in [serve] is [1, 2]; expected a text or a number"),
        ('[serve]\nstrategy = "modle"\n', "'modle' is not one of 'model', 'random', 'natural'"),
        ('[serve]\noutput = [{ url = "http://x" }]\n', 'a table without uri = "..."'),
        ("[serve]\noutput = 3\n", "output in [serve] is 3; expected addresses"),
        ('[serve]\noutput = { uri = "a:", more = [{ a = 1 }] }\n', "expected a text or a number"),
        ("[serve\n", "is no TOML"),
    ],
)
def test_whatever_is_wrong_is_one_sentence_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(EndlosError) as raised:
        read(tmp_path, text)
    sentence = str(raised.value)
    assert told in sentence
    assert str(tmp_path / "endlos.toml") in sentence
    assert "\n" not in sentence


def test_what_is_no_text_and_what_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "odd.toml").write_bytes(b"\xff\xfe")
    for name, told in (("odd.toml", "no UTF-8 text"), ("none.toml", "cannot be read")):
        with pytest.raises(EndlosError, match=told):
            read_config(tmp_path / name, {})


def test_a_table_is_an_address_with_its_options(tmp_path: Path) -> None:
    said = read(
        tmp_path,
        '[[serve.output]]\nuri = "http://0.0.0.0:8000"\ncodec = ["mp3", "opus"]\n'
        '[[serve.output]]\nuri = "file:a b.flac?bits=16"\nbitrate = 96\n',
    )
    assert said.defaults["serve"]["output"] == [
        "http://0.0.0.0:8000?codec=mp3&codec=opus",
        f"file:{quote(str(tmp_path / 'a b.flac'))}?bits=16&bitrate=96",
    ]


def test_a_relative_path_begins_at_the_folder_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "at home").mkdir()
    said = read(
        tmp_path / "at home",
        '[serve]\nsource = "my music"\nmodel = "tower"\nlog = "~/log.jsonl"\n'
        'icecast-password-file = "secret"\n[eval]\npool = "/pool"\nbeside = ["mine", "/other"]\n'
        'model = "own"\n[[serve.output]]\nuri = "icecast://host/x.mp3"\npassword-file = "a b"\n'
        'name = "a/b c"\n[[serve.output]]\nuri = "hls:www/hls"\nsegment = 4\n',
    )
    serve, measure = said.defaults["serve"], said.defaults["eval"]
    here = tmp_path / "at home"
    assert serve["source"] == str(here / "my music")
    assert serve["model"] == "tower", "the name of one that endlos carries"
    assert serve["log"] == "~/log.jsonl"
    assert serve["icecast_password_file"] == str(here / "secret")
    assert measure == {
        "pool": "/pool",
        "beside": [str(here / "mine"), "/other"],
        "model": str(here / "own"),
    }
    assert serve["output"] == [
        f"icecast://host/x.mp3?password-file={quote(str(here / 'a b'))}&name=a%2Fb%20c",
        f"hls:{quote(str(here / 'www/hls'))}?segment=4",
    ]
    (here / "tower").mkdir()
    assert read(here, '[serve]\nmodel = "tower"\n').defaults["serve"]["model"] == str(here / "tower")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("pipe:-", "pipe:-"),
        ("pipe:-?format=wav", "pipe:-?format=wav"),
        ("pipe:fifo", "pipe:/etc/endlos/fifo"),
        ("file:///srv/a.flac", "file:/srv/a.flac"),
        ("file:~/a.flac?bits=16", "file:~/a.flac?bits=16"),
        ("device:USB", "device:USB"),
        ("http://[::1]:80?token-file=t&name=n", "http://[::1]:80?token-file=/etc/endlos/t&name=n"),
        ("no address", "no address"),
    ],
)
def test_of_an_address_paths_alone_are_below_the_folder(address: str, expected: str) -> None:
    assert output_below(address, Path("/etc/endlos")) == expected


@pytest.mark.parametrize(
    ("said", "password"),
    [
        ('"icecast://user:p%26%2Fw@host:8000/x.mp3"', "p&/w"),
        ('{ uri = "icecast://user@host:8000/x.mp3", password = "p&/?w@:" }', "p&/?w@:"),
        ('{ uri = "icecast://host:8000/x.mp3", password = "plain", bitrate = 96 }', "plain"),
    ],
)
def test_a_password_reaches_the_output_and_nobody_else(tmp_path: Path, said: str, password: str) -> None:
    found = read(tmp_path, f"[serve]\noutput = [{said}]\n")
    (address,) = found.defaults["serve"]["output"]
    assert password not in f"{address} {found!r}"
    token = known_passwords.set(found.passwords)
    try:
        place = read_output(address, None, address_password(address))
        assert "***" in masked_address(address) and password not in masked_address(address)
    finally:
        known_passwords.reset(token)
    assert isinstance(place, IcecastSettings)
    assert place.mount.password == password
    assert address_password(address) is None


def test_a_password_that_anybody_may_read_is_refused(tmp_path: Path) -> None:
    text = '[serve]\nicecast = "icecast://source:hidden@host/x.mp3"\n'
    with pytest.raises(EndlosError, match="may be read by every user") as raised:
        read(tmp_path, text, 0o644)
    assert "hidden" not in str(raised.value)
    assert read(tmp_path, text, 0o640).passwords == {"icecast://source@host/x.mp3": "hidden"}
    # Without one there is nothing to hide.
    assert read(tmp_path, "[serve]\nhttp = 1\n", 0o644).passwords == {}


def test_the_file_is_the_named_one_else_the_users_else_the_systems(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CONFIG_VARIABLE, str(tmp_path / "named.toml"))
    assert find_config() == tmp_path / "named.toml"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    users = tmp_path / "config" / "endlos" / "endlos.toml"
    system = tmp_path / "etc.toml"
    monkeypatch.delenv(CONFIG_VARIABLE)
    assert users in usual_places()
    monkeypatch.setattr("tools.config.file.SYSTEM_CONFIG", system)
    monkeypatch.setattr("tools.config.file.usual_places", lambda: [users, system])
    assert find_config() is None
    system.write_text("")
    assert find_config() == system
    users.parent.mkdir(parents=True)
    users.write_text("")
    assert find_config() == users
