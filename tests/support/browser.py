"""Running a script on a page in headless Chromium, in a frame of a given width."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

#: A frame, for Chromium's own window is never narrower than 500 pixels; and so high that no scroll bar takes
#: some of its width.
_SCREEN = """<!DOCTYPE html><meta charset="utf-8"><title>x</title><body style="margin:0">
<iframe id="screen" style="border:0;width:{width}px;height:60000px" srcdoc="{page}"></iframe>
<pre id="answer"></pre>
<script>
window.onload = async () => {{
    const frame = document.getElementById("screen");
    const answer = await ({script})(frame.contentDocument, frame.contentWindow);
    document.getElementById("answer").textContent = JSON.stringify(answer);
}};
</script></body>"""


def ask(page: str, script: str, folder: Path, *, width: int, dark: bool = False) -> Any:
    """Return what a JavaScript function of the page's document and window returns, as JSON has it."""
    screen = folder / "screen.html"
    screen.write_text(_SCREEN.format(width=width, page=html.escape(page), script=script), encoding="utf-8")
    command = [
        *(str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        *(f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=20000"),
        f"--blink-settings=preferredColorScheme={0 if dark else 1}",
        *("--dump-dom", screen.as_uri()),
    ]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=240, check=True)
    answer = re.search(r'<pre id="answer">(.+?)</pre>', done.stdout, re.DOTALL)
    assert answer, done.stderr
    return json.loads(html.unescape(answer[1]))
