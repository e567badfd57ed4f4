"""The command `endlos render` writes the stream into a file, as fast as the machine can."""

import math
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from model.base.errors import EndlosError, told_if_stopped
from tools.commands.engine_options import ENGINE_NAMES, EngineChoice, engine_options, idle_engine_options
from tools.commands.idle import IdleOptions, refuse_idle
from tools.commands.options import Bitrate, Bits, Force, asked_encoding
from tools.terminal import AsJson, Quiet, clock, plural, print_json, progress_bar, warnings_on_stderr

_BLOCK_FRAMES = 16_384
LONGEST_S = 366 * 86_400.0


@engine_options(live=False)
def render(
    context: typer.Context,
    engine: EngineChoice,
    pool: Annotated[Path, typer.Argument(metavar="POOL", help="Folder that `endlos pool build` wrote.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="File to write: .wav .flac .mp3 .ogg .opus")],
    seconds: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            help="Length of the stream, in seconds.",
            show_default="with --replay, as long as the log",
        ),
    ] = None,
    log: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write every decision there, as JSON lines.")
    ] = None,
    bits: Bits = None,
    bitrate: Bitrate = None,
    replay: Annotated[
        Path | None,
        typer.Option(
            metavar="LOG",
            help="Play a decision log again, bit for bit; model, rate, fade and all such are the log's.",
        ),
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Render the stream into a file.

    Where the stream or the disk fails, what was rendered is kept in OUT.incomplete.wav (.flac, ...).
    The same pool, model, seed and options give the same bytes. With --replay, what `endlos play` or `serve`
    wrote with --log comes out again, with every skip.
    """
    from stream.engine.decisions import DecisionLog, log_held
    from stream.engine.engine import Engine
    from stream.engine.replay import Replay
    from stream.outputs.audio_file import open_audio_file
    from tools.pools.overwriting import refuse_overwriting
    from tools.running.rendering import write_stream

    refuse_idle(
        context,
        IdleOptions(names=ENGINE_NAMES, where=replay is not None, why="with --replay: the log says all that"),
        *idle_engine_options(engine),
    )
    if seconds is None and replay is None:
        raise typer.BadParameter("say how long the stream is to be", param_hint="--seconds")
    if seconds is not None and not seconds <= LONGEST_S:
        raise EndlosError(
            f"--seconds is {seconds:g}, expected at most {LONGEST_S:g}, a year; "
            "`endlos play` is the endless one"
        )
    bits, bitrate = asked_encoding(context, out.expanduser(), bits, bitrate)
    refuse_overwriting(
        (("OUT", out), ("--log", log)),
        (("POOL", pool), ("--replay", replay), ("--model", engine.settings.model)),
        force=force,
    )
    began_s = time.monotonic()
    with ExitStack() as opened:
        opened.enter_context(told_if_stopped(f"{out} was not written"))
        # A song that is lost on the way is named there, with its reason, when that happens.
        opened.enter_context(warnings_on_stderr())
        # The log first: an output that has begun is renamed into place only when all went well.
        decisions = None
        if log is not None:
            opened.enter_context(log_held(log.expanduser()))
            decisions = opened.enter_context(DecisionLog(log.expanduser()))
        stream: Engine | Replay
        if replay is not None:
            stream = Replay(pool.expanduser(), replay.expanduser(), on_decision=decisions)
        else:
            stream = Engine.open(pool.expanduser(), engine.settings, on_decision=decisions)
        opened.callback(stream.close)
        rate = stream.engine_rate_hz
        left = stream.frames_left if isinstance(stream, Replay) else math.inf
        frames = int(min(left, math.inf if seconds is None else round(seconds * rate)))
        writer = opened.enter_context(
            open_audio_file(out.expanduser(), rate, bits=bits, bitrate_kbps=bitrate, frames=frames)
        )
        progress = opened.enter_context(progress_bar(quiet))
        task = progress.add_task("seconds", total=round(frames / rate))
        starts = range(0, frames, _BLOCK_FRAMES)
        write_stream(
            writer,
            (stream.render(min(_BLOCK_FRAMES, frames - start)) for start in starts),
            rate,
            lambda done_s: progress.update(task, completed=done_s),
        )
        if decisions is not None:
            decisions.event("stop", frames, rate)
        lost = stream.lost if isinstance(stream, Engine) else {}
    took_s = time.monotonic() - began_s
    figures = {
        "out": str(out),
        "seconds": frames / rate,
        "took_s": round(took_s, 3),
        "times_real_time": round(frames / rate / took_s, 1),
        "clipped_samples": writer.clipped_samples,
        "lost": [str(path) for path in lost],
    }
    if as_json:
        print_json(figures)
    elif not quiet:
        left_out = f"; {plural(len(lost), 'song')} left out" if lost else ""
        said = stream.announcements if isinstance(stream, Replay) else 0
        if said:
            left_out += f"; {plural(said, 'announcement')} of the run left out"
        print(
            f"{out}: {clock(frames / rate)} in {took_s:.1f} s, {figures['times_real_time']} times real time"
            f"{left_out}"
        )
