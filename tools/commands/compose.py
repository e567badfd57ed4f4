"""The command `endlos compose` makes one song of the chunks of a pool, as the report does."""

import json
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from model.base.errors import told_if_stopped
from stream.joins.settings import SoundSettings
from tools.commands.options import Bitrate, Bits, Force, Model, asked_encoding
from tools.terminal import AsJson, Quiet, clock, plural, print_json, progress_bar, warnings_on_stderr


def compose(
    context: typer.Context,
    pool: Annotated[Path, typer.Argument(metavar="POOL", help="Folder that `endlos pool build` wrote.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="File to write: .mp3 .wav .flac .ogg .opus")],
    length: Annotated[int, typer.Option(min=1, metavar="N", help="How many chunks follow each other.")],
    start: Annotated[
        str | None,
        typer.Option(
            metavar="CHUNK",
            help="First chunk: SONG (its first), SONG#NUMBER (from 1) or SONG@TIME (seconds, or 2:03), "
            "as `endlos pool info --chunks` names them.",
            show_default="the first of the pool",
        ),
    ] = None,
    model: Model = None,
    plain: Annotated[
        bool,
        typer.Option(
            "--plain", help="The report's concatenation: the songs' samples one after the other, as they are."
        ),
    ] = False,
    rate: Annotated[
        int | None,
        typer.Option(
            help="Sample rate in Hz: 44100 or 48000.",
            show_default=f"{SoundSettings.engine_rate_hz}; with --plain the songs' own if they have one",
        ),
    ] = None,
    bits: Bits = None,
    bitrate: Bitrate = None,
    force: Force = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Compose one song of a pool's chunks, greedily.

    From the first chunk on every chunk of the pool is scored as its successor; the best that was not taken
    yet follows, and so on. Played by the engine's joins, or with --plain one after the other. The tags name
    the sources; beside OUT.mp3, OUT.json lists the chunks, and OUT.cue is a cue sheet with a track for each
    run of one song. The same pool, model and first chunk give the same bytes.
    """
    from model.base.files import write_whole
    from model.saved.carried import chosen_model
    from model.saved.contract_file import graphs_hash, load_contract
    from stream.audio.spans import SpanReader
    from stream.choosing.generation import open_generation
    from stream.choosing.greedy import greedy_steps
    from stream.engine.composition import JoinedComposition, PlainComposition
    from stream.outputs.audio_file import open_audio_file
    from stream.pool.chunk_names import chunk_name, named_row
    from stream.scoring.settings import ScoringSettings
    from tools.pools.overwriting import refuse_overwriting
    from tools.running.rendering import write_stream
    from tools.songs.cue_sheet import SHEET_EXTENSION, cue_sheet
    from tools.songs.made_of import composed_tags, composed_tracks
    from tools.songs.tags import file_title

    out, folder, used = out.expanduser(), pool.expanduser(), chosen_model(model)
    bits, bitrate = asked_encoding(context, out, bits, bitrate)
    title, listing, sheet = file_title(out), out.with_suffix(".json"), out.with_suffix(SHEET_EXTENSION)
    refuse_overwriting(
        (("OUT", out), ("the list of chunks", listing), ("the cue sheet", sheet)),
        (("POOL", pool), ("--model", used)),
        force=force,
    )
    settings = SoundSettings() if rate is None else SoundSettings(engine_rate_hz=rate)
    began_s = time.monotonic()
    with ExitStack() as opened:
        opened.enter_context(told_if_stopped(f"{out} was not written"))
        opened.enter_context(warnings_on_stderr())
        generation = open_generation(
            folder, ScoringSettings(model=used), engine_rate_hz=settings.engine_rate_hz
        )
        opened.callback(generation.close)
        first_row = 0 if start is None else named_row(generation.pool, start)
        progress = opened.enter_context(progress_bar(quiet))
        task = progress.add_task("chunks chosen", total=length)
        steps = greedy_steps(
            generation, first_row, length, lambda done: progress.update(task, completed=done)
        )
        chosen_s = time.monotonic() - began_s
        stream: JoinedComposition | PlainComposition
        if plain:
            rates = {step.chunk.song.sample_rate_hz for step in steps}
            own_hz = rates.pop() if rate is None and len(rates) == 1 else settings.engine_rate_hz
            reader = SpanReader(generation.pool, own_hz)
            opened.callback(reader.close)
            stream = PlainComposition(steps, reader)
        else:
            stream = JoinedComposition(steps, settings)
        writer = opened.enter_context(
            open_audio_file(
                out,
                stream.rate_hz,
                bits=bits,
                bitrate_kbps=bitrate,
                tags=composed_tags(title, steps),
            )
        )
        seconds = sum(step.length_s for step in steps)
        task = progress.add_task("seconds", total=round(seconds))
        write_stream(
            writer,
            stream.blocks(),
            stream.rate_hz,
            lambda done_s: progress.update(task, completed=min(done_s, seconds)),
        )
        told = {
            "file": out.name,
            "seconds": writer.frames / stream.rate_hz,
            "rate_hz": stream.rate_hz,
            "plain": plain,
            "start": chunk_name(generation.pool, first_row),
            "length": length,
            "model": graphs_hash(used, load_contract(used)),
            "chunks": [chunk.as_json() for chunk in stream.placed],
        }
        text = json.dumps(told, indent=2, ensure_ascii=False) + "\n"
        # A name of a file may be no text.
        write_whole(listing, text.encode("utf-8", "backslashreplace"))
        write_whole(sheet, cue_sheet(out.name, title, composed_tracks(stream.placed), stream.rate_hz))
    songs = {step.chunk.key.audio_hash for step in steps}
    figures = {
        "out": str(out),
        "list": str(listing),
        "sheet": str(sheet),
        "chunks": length,
        "songs": len(songs),
        "seconds": told["seconds"],
        "chosen_s": round(chosen_s, 3),
        "took_s": round(time.monotonic() - began_s, 3),
        "clipped_samples": writer.clipped_samples,
    }
    if as_json:
        print_json(figures)
    elif not quiet:
        print(
            f"{out}: {clock(writer.frames / stream.rate_hz)}, {plural(length, 'chunk')} of "
            f"{plural(len(songs), 'song')}, in {figures['took_s']:.1f} s; {listing.name} lists them"
        )
