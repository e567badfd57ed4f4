"""The analysis measures everything that a pool keeps of one song, in one pass over its audio."""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from model.base.arrays import DoubleArray, IntArray
from model.base.errors import DecodeError, PoolError
from model.features.edges import chunk_edges
from model.features.phase import phase_energies
from model.features.seam import seam_sides
from model.features.spectra import chunk_spectra
from model.features.texture import textures
from stream.audio.coded import HASH_BYTES, CodedAudio, read_coded_audio
from stream.audio.copies import copy_bytes, has_copy, write_decoded_copy
from stream.audio.decode import Decoded, decode_song
from stream.audio.samples import SongSamples, in_parts, part_of
from stream.audio.song_file import seeks_check_out
from stream.doors.fullness import bars_ahead, fullness_db, voice_share
from stream.pool.columns import Rows, record_type
from stream.pool.pool import decoded_copy, fingerprint
from stream.pool.songs import Track
from stream.pool.timeline import SongTimeline
from stream.pool.traits import TRAIT_COLUMNS
from tools.songs.cue import cut_at_tracks, tracks_of
from tools.songs.cut import cut_song
from tools.songs.cut_beat import cut_on_beats
from tools.songs.loudness import SILENCE_DB, SILENCE_LUFS, measure_loudness, rms_db
from tools.songs.measure import measure_traits
from tools.songs.outline import Outline, outline
from tools.songs.rhythm.rhythm import Rhythm, find_rhythm
from tools.songs.song import AnalysisSettings, FileState, Loudness, SongAnalysis, hash_file
from tools.songs.stretches import Stretch, sounding_stretches
from tools.songs.tags import read_tags
from tools.songs.timeline import song_timeline
from tools.songs.voice.singing import VoiceCurve, find_voice
from tools.work.workers import Room


@dataclass(frozen=True, kw_only=True, eq=False)
class HeardSong:
    """One song as its file gives it; `audio` is `(frames, 2)` float32 at its own rate."""

    path: Path
    file: FileState
    audio_hash: str
    audio: SongSamples
    sample_rate_hz: int
    channels: int
    """Of the file."""
    outline: Outline
    left_out: tuple[str, ...] = ()
    """What of the file is not in `audio`, in words."""


def hear_song(path: Path, pool_folder: Path) -> HeardSong:
    """Decode one song, and tell what it is known by.

    The samples of a long song are kept in a nameless file in `pool_folder` meanwhile. `DecodeError` when the
    file cannot be read or changes meanwhile.
    """
    try:
        before = path.stat()
        file_hash = hash_file(path)
    except OSError as error:
        raise DecodeError(f"{path} cannot be read: {error.strerror}") from error
    coded = read_coded_audio(path)
    decoded = decode_song(path, scratch=pool_folder, coded=coded)
    audio, sample_rate_hz = decoded.samples, decoded.sample_rate_hz
    audio_hash = _identity(coded, decoded)
    try:
        after = path.stat()
    except OSError as error:
        raise DecodeError(f"{path} went away while it was read: {error.strerror}") from error
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise DecodeError(f"{path} changed while it was read; build again once it is whole")
    return HeardSong(
        path=path,
        file=FileState(
            file_hash=file_hash,
            size_bytes=before.st_size,
            mtime_ns=before.st_mtime_ns,
            ctime_ns=before.st_ctime_ns,
        ),
        audio_hash=audio_hash,
        audio=audio,
        left_out=decoded.left_out,
        sample_rate_hz=sample_rate_hz,
        channels=decoded.channels,
        outline=outline(audio, sample_rate_hz),
    )


def analyse_song(song: HeardSong, settings: AnalysisSettings, pool_folder: Path, room: Room) -> SongAnalysis:
    """Measure, cut and fingerprint one song, in parts where it is long.

    A song whose seeks do not check out gets a decoded copy in `pool_folder`, where `room` allows its size and
    the disk takes it. `DecodeError` when the file cannot be read any more.
    """
    audio, sample_rate_hz, path = song.audio, song.sample_rate_hz, song.path
    tracks = tracks_of(path, sample_rate_hz)
    energies = phase_energies(in_parts(audio))
    voice = find_voice(audio, sample_rate_hz, energies=energies)
    parts = [
        _analyse_stretch(audio, stretch, sample_rate_hz, tracks, settings, voice, energies, pool_folder)
        for stretch in sounding_stretches(audio, sample_rate_hz)
    ]
    rows = _compared(np.concatenate([part.rows for part in parts]), sample_rate_hz)
    rhythms = [(part.stretch.start, part.rhythm) for part in parts]
    timeline = song_timeline(audio, sample_rate_hz, rhythms, voice)
    _tell_what_follows(rows, timeline, sample_rate_hz)
    loudness, seekable = Loudness(loudness_lufs=SILENCE_LUFS, true_peak_db=SILENCE_DB), True
    if len(rows):
        loudness = measure_loudness(audio, sample_rate_hz)
        seekable = seeks_check_out(path, audio, seed=int(song.audio_hash[:8], 16))
        if not seekable:
            _keep_copy(audio, pool_folder, song.audio_hash, room)
    return SongAnalysis(
        file=song.file,
        audio_hash=song.audio_hash,
        sample_rate_hz=sample_rate_hz,
        channels=song.channels,
        frames=len(audio),
        outline=song.outline,
        timeline=timeline,
        tags=read_tags(path),
        loudness=loudness,
        seekable=seekable,
        cut=_note(parts, len(audio), sample_rate_hz),
        left_out=song.left_out,
        rows=rows,
    )


def _identity(coded: CodedAudio, decoded: Decoded) -> str:
    """Return the hash of the coded audio; of the samples, where that cannot be told from the rest."""
    # FFmpeg's packets are those of one file: of several in a row they may be those of the first alone.
    if decoded.plain and coded.audio_hash is not None:
        return coded.audio_hash
    digest = hashlib.blake2b(f"{decoded.sample_rate_hz}".encode(), digest_size=HASH_BYTES)
    for part in in_parts(decoded.samples):
        digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()


@dataclass(frozen=True, kw_only=True, eq=False)
class _Part:
    """One stretch of a song, cut; its rows count from the song's start, and are not compared yet."""

    stretch: Stretch
    note: str
    rhythm: Rhythm
    rows: Rows


def _analyse_stretch(
    audio: SongSamples,
    stretch: Stretch,
    sample_rate_hz: int,
    tracks: Sequence[Track],
    settings: AnalysisSettings,
    voice: VoiceCurve,
    energies: DoubleArray,
    scratch: Path,
) -> _Part:
    """Find the rhythm of a stretch and cut it, as if it were a song of its own; energies: of the song."""
    part = part_of(audio, stretch.start, stretch.stop)
    known = energies if len(part) == len(audio) else None
    rhythm = find_rhythm(part, sample_rate_hz, scratch=scratch, energies=known)
    sung = voice.since(stretch.start / sample_rate_hz)
    if settings.cut.cut == "beat":
        result = cut_on_beats(part, sample_rate_hz, settings.cut, rhythm, sung)
    else:
        result = cut_song(part, sample_rate_hz, settings.cut)
    least = round(min(settings.cut.min_chunk_s, settings.cut.chunk_s) * sample_rate_hz)
    within = tuple(replace(track, start_sample=track.start_sample - stretch.start) for track in tracks)
    bounds = cut_at_tracks(result.bounds, within, least)
    rows = _rows(part, sample_rate_hz, bounds, rhythm, sung, settings.edge_samples)
    rows["start_sample"] += stretch.start
    rows["end_sample"] += stretch.start
    return _Part(stretch=stretch, note=result.note, rhythm=rhythm, rows=rows)


def _note(parts: Sequence[_Part], frames: int, sample_rate_hz: int) -> str:
    """Return what was done to the longest stretch, and how much belongs to none."""
    longest = max(parts, key=lambda part: (len(part.rows) > 0, part.stretch.stop - part.stretch.start))
    silent_s = (frames - sum(part.stretch.stop - part.stretch.start for part in parts)) / sample_rate_hz
    note = longest.note
    if len(parts) > 1:
        note += f"; the longest of {len(parts)} stretches"
    return f"{note}; without {silent_s:.0f} s of silence" if silent_s else note


def copy_song(path: Path, pool_folder: Path, audio_hash: str, room: Room) -> None:
    """Write the decoded copy of a song that was analysed before; errors as in `analyse_song`."""
    audio = decode_song(path, scratch=pool_folder).samples
    _keep_copy(audio, pool_folder, audio_hash, room)


def _keep_copy(audio: SongSamples, pool_folder: Path, audio_hash: str, room: Room) -> None:
    target = decoded_copy(pool_folder, audio_hash)
    if not has_copy(target, len(audio)) and room(audio_hash, copy_bytes(len(audio))):
        # Songs play without their copies, only slower to start; the build counts those that lack theirs.
        with suppress(PoolError):
            write_decoded_copy(audio, target)


def _rows(
    audio: SongSamples,
    sample_rate_hz: int,
    bounds: IntArray,
    rhythm: Rhythm,
    voice: VoiceCurve,
    edge_samples: int,
) -> Rows:
    rows = np.zeros(max(0, len(bounds) - 1), dtype=record_type(edge_samples))
    if not len(rows):
        return rows
    rows["start_sample"], rows["end_sample"] = bounds[:-1], bounds[1:]
    for row, (start, stop) in enumerate(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)):
        chunk = audio[start:stop]
        rows["loudness_db"][row] = rms_db(chunk)
        rows["fingerprints"][row] = fingerprint(chunk)
        rows["heads"][row], rows["tails"][row] = chunk_edges(chunk, sample_rate_hz, edge_samples)
        rows["spectra"][row] = chunk_spectra(chunk, sample_rate_hz)
    traits = measure_traits(audio, sample_rate_hz, bounds, rhythm, voice)
    for name in TRAIT_COLUMNS:
        rows[name] = getattr(traits, name)
    return rows


def _tell_what_follows(rows: Rows, timeline: SongTimeline, sample_rate_hz: int) -> None:
    """Fill in how full, how much sung and how steady the song is from each end of its chunks on."""
    for side in ("start", "end"):
        at_s = rows[f"{side}_sample"] / sample_rate_hz
        rows[f"{side}_full_db"] = fullness_db(timeline, at_s)
        rows[f"{side}_voice"] = voice_share(timeline, at_s)
        rows[f"{side}_bars"] = bars_ahead(timeline, at_s)


def _compared(rows: Rows, sample_rate_hz: int) -> Rows:
    """Fill in what the chunks of a whole song are compared by, and return them."""
    if len(rows):
        spans_s = np.stack([rows["start_sample"], rows["end_sample"]], axis=1) / sample_rate_hz
        sides = seam_sides(rows["spectra"], spans_s)
        rows["seam_end_values"], rows["seam_start_values"] = sides.ends, sides.starts
        texture = textures(rows["spectra"])
        rows["texture_ends"], rows["texture_starts"] = texture.ends, texture.starts
    return rows
