"""Programs of arm64 on this machine: qemu-user, made known to the kernel, which keeps it for every chroot."""

import shutil
from pathlib import Path

from tests.container.bases import call

_KNOWN = Path("/proc/sys/fs/binfmt_misc")
_NAME = "qemu-aarch64"
#: A Raspberry Pi 4: its pointers are not signed, which qemu would take most of its time for.
CPU = "cortex-a72"
#: The head of an ELF file of that machine, and which of its bits count (qemu's own list).
_MAGIC = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
_MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"


def why_not() -> str:
    """Register the emulator where it is not yet; return '' if it works, else the reason."""
    program = shutil.which("qemu-aarch64-static")
    if program is None:
        return "apt-get install qemu-user-static"
    try:
        if not (_KNOWN / "register").exists():
            call("mount", "-t", "binfmt_misc", "binfmt_misc", str(_KNOWN))
        if not (_KNOWN / _NAME).exists():
            # F: opened once, here, and so at hand in every root file system.
            rule = f":{_NAME}:M::{_MAGIC}:{_MASK}:{program}:F"
            (_KNOWN / "register").write_text(rule, encoding="ascii")
    except (OSError, RuntimeError) as error:
        return f"the kernel takes no emulator: {error}"
    return ""
