"""What a short command does not load: a container asks for its health every five minutes, for years."""

import subprocess
import sys

from tests.commands import environment

_LISTED = "import sys; from cavecron.cli import main; main({!r}, {{}}); print(*sys.modules, file=sys.stderr)"


def test_health_loads_no_network_no_cryptography_and_no_event_loop() -> None:
    """Each of them costs more than all that it does itself."""
    done = subprocess.run(
        [sys.executable, "-c", _LISTED.format(["health"])],
        env=environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    loaded = set(done.stderr.split())
    assert "cavecron.commands.health" in loaded
    assert not loaded & {"asyncio", "socket", "ssl", "hashlib", "random", "email", "smtplib", "cryptography"}
