"""The HLS output writes segments and playlists into a folder, for any web server or CDN to hand on."""

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from model.base.errors import OutputError
from model.base.lock import held_alone
from stream.outputs.fed import FedOutput, explain
from stream.outputs.hls.playlist import TYPE_OF_PLAYLIST
from stream.outputs.hls.store import HlsStore
from stream.outputs.hls.variant import HLS_CODECS, MASTER, HlsCodec, HlsVariant
from stream.outputs.output import OutputRoute
from stream.outputs.place import OutputKind, OutputUri, Place, Tap, did_you_mean
from stream.outputs.written import file_place

if TYPE_CHECKING:
    from stream.outputs.hls.segmenter import Segment, Segmenter

_log = logging.getLogger(__name__)

_LEAST_KBPS, _MOST_KBPS, _DEFAULT_KBPS = 32, 320, 192
LONGEST_SEGMENT_S = 6
"""Longer ones keep listeners waiting; and an output that hands on nothing for 10 s is taken for ill."""
LONGEST_LIST_S = 3600
_FORM = "hls:DIR[?codec=aac&bitrate=192&segment=2&keep=30]"
_LOCK_FILE = f"{MASTER}.lock"
"""Not swept, and not handed on over HTTP."""
_POLL_S = 0.5
_RETRY_S = 2.0
_CLOSE_S = 0.9
_MOST_DATE_ERROR = timedelta(seconds=3)
_SEGMENTS_BEHIND = 3.5
"""Where players are: they begin three behind the end of the list, which is on average half a one old."""


@dataclass(frozen=True, kw_only=True)
class HlsSettings(Place):
    """Which folder to write into, in which variants, and how long a player may be behind."""

    folder: Path
    """It is made where there is none, but not what it stands in."""
    codecs: Sequence[HlsCodec] = ("aac",)
    """The first is `stream.m3u8`; each of the others has a playlist of its own, `stream-flac.m3u8`."""
    bitrates_kbps: Sequence[int] | None = None
    """Of AAC and Opus; each makes a variant with each of them. None: 192."""
    segment_s: int = 2
    """How long a segment is; a player waits for about three of them before it begins."""
    keep_s: int = 30
    """How much music is listed; it is removed once it has been listed no more for as long again."""

    def __post_init__(self) -> None:
        if self.bitrates_kbps is not None and set(self.codecs) == {"flac"}:
            raise OutputError(
                f"{self.folder} is asked for with a bit rate; FLAC takes what it needs, leave it out"
            )
        for kbps in self.bitrates_kbps or ():
            if not _LEAST_KBPS <= kbps <= _MOST_KBPS:
                raise OutputError(
                    f"{self.folder} is asked for with {kbps} kbit/s; expected {_LEAST_KBPS} to {_MOST_KBPS}"
                )
        if not 1 <= self.segment_s <= LONGEST_SEGMENT_S:
            raise OutputError(
                f"{self.folder} is asked for with segments of {self.segment_s} s; "
                f"expected 1 to {LONGEST_SEGMENT_S}"
            )
        if not 3 * self.segment_s <= self.keep_s <= LONGEST_LIST_S:
            raise OutputError(
                f"{self.folder} is to list {self.keep_s} s; expected {3 * self.segment_s}, "
                f"which is three segments, to {LONGEST_LIST_S}"
            )
        if not self.variants():
            raise OutputError(f"{self.folder} has no codec or no bit rate; give at least one")

    def variants(self) -> Sequence[HlsVariant]:
        """Return what a player may choose from, each once; the first is where it begins."""
        found: dict[HlsVariant, None] = {}
        for codec in self.codecs:
            given = (_DEFAULT_KBPS,) if self.bitrates_kbps is None else self.bitrates_kbps
            for kbps in (0,) if codec == "flac" else given:
                found[HlsVariant(codec=codec, bitrate_kbps=kbps)] = None
        return list(found)

    def store(self, rate_hz: int = 44_100) -> HlsStore:
        """Return what writes a stream of that rate into the folder."""
        return HlsStore(self.folder.expanduser(), self.variants(), self.segment_s, self.keep_s, rate_hz)

    def open(self, tap: Tap) -> Sequence["HlsOutput"]:
        """Return the output that writes all variants."""
        return [HlsOutput(self, tap)]

    def takes(self) -> Sequence[str]:
        """Return the folder."""
        return [file_place(self.folder)]

    def require(self) -> None:
        """Refuse a folder that nothing can be written into, or that another writes into, or has written."""
        self.store().require()
        with self.held():
            pass

    def held(self) -> AbstractContextManager[None]:
        """Keep the folder to this process; `OutputError` where another one writes into it."""
        folder = self.folder.expanduser()
        taken = OutputError(
            f"{self.folder} is written into by another endlos; end that one, or choose another folder"
        )
        return held_alone(folder / _LOCK_FILE, taken)


class HlsOutput(FedOutput):
    """A `FedOutput` whose thread encodes each variant, cuts it, and writes; after a fault, in a new run."""

    kind = "hls"

    def __init__(self, settings: HlsSettings, tap: Tap) -> None:
        """Refuse (`OutputError`) what cannot be encoded."""
        super().__init__(f"hls:{settings.folder}", tap.engine_rate_hz, card_paced=tap.card_paced)
        self._settings = settings
        self.latency_s = _SEGMENTS_BEHIND * settings.segment_s
        self._store = settings.store(tap.engine_rate_hz)
        self._open_segmenters()
        self._held = ExitStack()

    def start(self) -> None:
        """Begin to take blocks; `OutputError` where nothing can be written, or another process writes."""
        self._store.require()
        self._held.enter_context(self._settings.held())
        super().start()

    def close(self) -> None:
        """Fade out, write what is left as a last segment, and end; the playlists say nothing of an end."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_CLOSE_S)
        self._held.close()

    def routes(self) -> Sequence[OutputRoute]:
        """Return where the folder is seen over HTTP, where that is served."""
        from stream.outputs.hls.answers import answer_hls  # with Starlette

        answer = partial(answer_hls, self._store.folder)
        return [
            OutputRoute(path=f"/hls/{MASTER}", answer=answer, content_type=TYPE_OF_PLAYLIST),
            OutputRoute(path="/hls/{name}", answer=answer, for_all=True),
        ]

    def _detail(self) -> str:
        return str(self._store.folder / MASTER)

    # The worker's thread.

    def _open_segmenters(self) -> "Sequence[Segmenter]":
        from stream.outputs.hls.segmenter import Segmenter  # with PyAV

        settings = self._settings
        return [
            Segmenter(variant, self.engine_rate_hz, settings.segment_s) for variant in settings.variants()
        ]

    def _work(self) -> None:
        while not self._stop.is_set():
            try:
                self._write_run()
            except Exception as error:
                # Whatever it was: an endless stream comes back by itself, and says what happened.
                fault = explain(error)
                if fault != self._fault:
                    _log.warning("%s: %s", self.name, fault)
                self._state, self._fault = "reconnecting", fault
                self._tally.lose()
                self._rest(_RETRY_S)
                self._feed.restart()
        self._state = "stopped"

    def _write_run(self) -> None:
        segmenters = self._open_segmenters()
        self._store.begin(segmenters)
        began, taken_frames = datetime.now(UTC), 0
        written_bytes = sum(len(segmenter.init) for segmenter in segmenters)
        while True:
            last = self._stop.is_set()
            block = self._feed.end() if last else self._feed.take()
            if block is None:
                self._stop.wait(_POLL_S)
                continue
            taken_frames += len(block)
            self._tally.take(block)
            # Also after the clock was set, or after something was lost: dates are those of the wall clock.
            ran = timedelta(seconds=taken_frames / self.engine_rate_hz)
            if abs(datetime.now(UTC) - began - ran) > _MOST_DATE_ERROR:
                began = datetime.now(UTC) - ran
            title = self._feed.title
            for segmenter in segmenters:
                for segment in [*segmenter.encode(block), *(segmenter.flush() if last else ())]:
                    self._store.add(segmenter, segment, began, title)
                    written_bytes += len(segment.data)
                    if segmenter is segmenters[-1]:
                        self._delivered(segment, written_bytes)
                        written_bytes = 0
            if last:
                return

    def _delivered(self, segment: "Segment", written_bytes: int) -> None:
        """Count a segment that each variant has now, and what all files since the last one hold."""
        if self._state != "playing":
            self._sessions += 1
            self._state, self._fault = "playing", ""
        self._tally.hand_on(round(segment.length_s * self.engine_rate_hz), written_bytes)


def hls_from_uri(uri: OutputUri) -> HlsSettings:
    """Read `hls:DIR[?codec=C&bitrate=KBPS&segment=S&keep=S]`; codec and bitrate may be repeated."""
    options = uri.options("codec", "bitrate", "segment", "keep")
    if not uri.rest:
        raise OutputError(f"{uri.safe} names no folder; expected {_FORM}")
    segment_s, keep_s = options.whole("segment"), options.whole("keep")
    return HlsSettings(
        folder=Path(uri.rest.removeprefix("//")),
        codecs=tuple(map(_codec, options.all("codec"))) or HlsSettings.codecs,
        bitrates_kbps=options.wholes("bitrate") or None,
        segment_s=HlsSettings.segment_s if segment_s is None else segment_s,
        keep_s=HlsSettings.keep_s if keep_s is None else keep_s,
    )


def _codec(name: str) -> HlsCodec:
    for codec in HLS_CODECS:
        if codec == name:
            return codec
    raise OutputError(
        f"there is no codec {name!r} of HLS{did_you_mean(name, HLS_CODECS)}; "
        f"take one of {', '.join(HLS_CODECS)}"
    )


HLS_KIND = OutputKind(
    scheme="hls",
    form=_FORM,
    summary="a folder for a web server or a CDN, for browsers and phones",
    from_uri=hls_from_uri,
    at_path=True,
)
