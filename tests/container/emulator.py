"""The emulator for programs of arm64: qemu-user, registered in the kernel for every root file system."""

import shutil
from pathlib import Path

from tests.container.bases import call

_REGISTRY = Path("/proc/sys/fs/binfmt_misc")
_NAME = "qemu-aarch64"
#: A Raspberry Pi 4, because its pointers are not signed; signing them would take most of qemu's time.
CPU = "cortex-a72"
#: The first bytes of an ELF file of that machine, and the bits that count (from qemu's own list).
_MAGIC = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
_MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"


def reason_for_skip() -> str:
    """Register the emulator unless it is registered; return '' if it works, else the reason."""
    program = shutil.which("qemu-aarch64-static")
    if program is None:
        return "apt-get install qemu-user-static"
    try:
        if not (_REGISTRY / "register").exists():
            call("mount", "-t", "binfmt_misc", "binfmt_misc", str(_REGISTRY))
        if not (_REGISTRY / _NAME).exists():
            # F: the kernel opens the program now, so that it can be used in every root file system.
            rule = f":{_NAME}:M::{_MAGIC}:{_MASK}:{program}:F"
            (_REGISTRY / "register").write_text(rule, encoding="ascii")
    except (OSError, RuntimeError) as error:
        return f"the kernel takes no emulator: {error}"
    return ""
