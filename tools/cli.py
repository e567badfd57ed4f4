"""The `endlos` command turns whatever ends it into an exit code, and an error into one sentence."""

import os
import signal
import sys

from tools.interrupts import signals_as_interrupts


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failed (one sentence), 2 wrong usage, 128 + n by a signal."""
    arguments = sys.argv[1:] if arguments is None else arguments
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        # A song's title may hold what the terminal cannot show; that is no reason to fail.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    came: list[int] = []
    try:
        with signals_as_interrupts() as came:
            # Imported here: that takes long enough to be interrupted.
            from tools.app import run_line

            run_line(arguments)
    except SystemExit as exited:
        # As a shell tells of a command that a signal ended.
        sys.exit(128 + came[0] if came and exited.code else exited.code)
    except KeyboardInterrupt:
        sys.exit(128 + (came[0] if came else signal.SIGINT))
    except Exception as error:
        sys.exit(_failed(error, arguments, came))


def _failed(error: Exception, arguments: list[str], came: list[int]) -> int:
    """Say what went wrong, and return the exit code; raise it where somebody wants to see the traceback."""
    from model.base.errors import StoppedError, interrupted
    from tools.app import wants_traceback
    from tools.terminal import sentence

    if wants_traceback(arguments):
        raise error
    ended = interrupted(error)
    # What was interrupted may have something to say: training names its checkpoint. All else follows from it.
    if isinstance(error, StoppedError) or not ended:
        print(f"endlos: {sentence(error)}", file=sys.stderr)
    return 128 + (came[0] if came else signal.SIGINT) if ended else 1


def _open_closed_streams() -> None:
    """Point standard streams that are closed, as some services start, at nothing.

    Else the next file that is opened gets such a number, and whatever is printed.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is given, so that it is this one.
            opened = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, open(opened, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


if __name__ == "__main__":
    main()
