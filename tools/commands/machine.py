"""The commands `endlos devices` and `endlos doctor` say what this machine has, and what to do."""

import sys
from dataclasses import asdict

import typer

from tools.terminal import AsJson, print_json, print_table, table_cell


def devices(as_json: AsJson = False) -> None:
    """List the output devices, at what rate they play, and their latency.

    `plays_at_hz` differs from the stream's 44100 or 48000 where it is resampled for the device, and is empty
    where the device takes no stream; `auto_latency_s` is what `--latency auto` has measured.
    """
    from stream.outputs.devices import list_devices
    from tools.running.card_rates import rate_on
    from tools.running.latency import remembered

    found = []
    for device in list_devices():
        timing = remembered(device.full_name)
        rate = rate_on(device)
        found.append(
            {
                **asdict(device),
                "plays_at_hz": rate.rate_hz if rate else None,
                "resampled": rate.resampled if rate else None,
                "auto_latency_s": timing.latency_s if timing else None,
            }
        )
    if as_json:
        print_json({"devices": found})
        return
    if not found:
        print("no output device: plug in a sound card or start the sound server; `endlos doctor` says more")
        return
    print_table(list(found[0]), [[table_cell(value) for value in device.values()] for device in found])


def doctor(as_json: AsJson = False) -> None:
    """Check this machine and say what to do.

    Exit 1 when something essential is missing.
    """
    from tools.running.doctor import check_machine

    checks = check_machine()
    if as_json:
        print_json({"checks": [asdict(check) for check in checks]})
    else:
        print_table(
            ("", "check", "found"),
            [(_mark(check.good, check.essential), check.name, check.found) for check in checks],
        )
        for check in checks:
            if not check.good:
                print(f"\n{check.name}: {check.advice}")
    missing = [check.name for check in checks if check.essential and not check.good]
    if missing:
        print(f"endlos: essential parts are missing: {', '.join(missing)}", file=sys.stderr)
        raise typer.Exit(1)


def _mark(good: bool, essential: bool) -> str:
    if good:
        return "ok"
    return "FAIL" if essential else "note"
