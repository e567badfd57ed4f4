"""A real browser plays HLS, by itself and by hls.js, and goes on after a kill and a restart."""

import shutil
import signal
from pathlib import Path

from tests.stream.outputs.kinds.test_hls import web_server
from tests.support.browser import driven_browser
from tests.support.commands import REPOSITORY, Running
from tests.support.waiting import PATIENCE_S, wait_until

HLS_JS = REPOSITORY / "stream" / "service" / "static" / "hls.light.min.js"
LOUD = """
<script>
async function listen() {
  const context = new AudioContext(), analyser = context.createAnalyser();
  const samples = new Float32Array(analyser.fftSize = 32768);
  context.createMediaElementSource(a).connect(analyser);
  analyser.connect(context.destination);
  await context.resume();
  window.peak = () => {
    analyser.getFloatTimeDomainData(samples);
    return Math.max(...samples.map(Math.abs));
  };
}
listen();
</script>"""
PAGES = {
    "native": f'<audio id=a src="stream.m3u8"></audio><script>a.play();</script>{LOUD}',
    "hls.js": f"""<audio id=a></audio><script src="hls.light.min.js"></script><script>
const faults = [], hls = new Hls();
hls.on(Hls.Events.ERROR, (event, data) => {{ if (data.fatal) faults.push(data.details); }});
hls.loadSource("stream.m3u8");
hls.attachMedia(a);
a.play();
</script>{LOUD}""",
}


def test_a_browser_goes_on_after_a_kill_and_a_restart(tiny_pool: Path, tmp_path: Path) -> None:
    folder = tmp_path / "hls"
    output = f"hls:{folder}?codec=aac&codec=flac&bitrate=64&bitrate=192&segment=1&keep=9"
    words = ("serve", tiny_pool, "--strategy", "random", "--output", output)
    with web_server(folder) as url, driven_browser() as browser:
        with Running(*words) as running:
            wait_until((folder / "stream.m3u8").exists, "something to play")
            shutil.copy(HLS_JS, folder)
            pages = {}
            for name, text in PAGES.items():
                (folder / f"{name}.html").write_text(text)
                page = pages[name] = browser.new_page()
                page.goto(url.replace("stream.m3u8", f"{name}.html"))
                # Before the next one is opened: what is in the background need not begin.
                page.wait_for_function("a.currentTime > 1", timeout=1000 * PATIENCE_S)
            running.send(signal.SIGKILL)
        # What each has of the first run; it plays on beyond it.
        ends_s = {
            name: page.evaluate("a.buffered.end(a.buffered.length - 1)") for name, page in pages.items()
        }
        with Running(*words):
            for name, page in pages.items():
                heard = f"a.currentTime > {ends_s[name] + 2} && peak() > 0.01"
                page.wait_for_function(heard, timeout=1000 * PATIENCE_S)
                assert page.evaluate("a.error") is None
            assert pages["hls.js"].evaluate("faults") == []
