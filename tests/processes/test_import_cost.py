"""Modules that short commands do not load: `health` runs every five minutes, for years."""

import subprocess
import sys

from tests.support.commands import environment

_LISTED = (
    "import sys; from cavecron.cli.main import main; main({!r}, {{}}); print(*sys.modules, file=sys.stderr)"
)


def test_health_loads_no_network_no_cryptography_and_no_event_loop() -> None:
    """Each of them costs more than all that it does itself."""
    done = subprocess.run(
        [sys.executable, "-c", _LISTED.format(["health"])],
        env=environment(COVERAGE_PROCESS_START=""),  # coverage loads much itself
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stderr.split())
    assert "cavecron.cli.health" in loaded
    assert not loaded & {"asyncio", "socket", "ssl", "hashlib", "random", "email", "smtplib", "cryptography"}
