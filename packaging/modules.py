"""Which modules of the standard library, and which libraries of Debian, are included in the program.

The PyInstaller recipe and the tests use it.
"""

import re
from pathlib import Path

_HERE = Path(__file__).parent
#: Modules for custom jobs, besides those that cavecron itself imports.
FOR_OWN_JOBS = (_HERE / "modules-in.txt").read_text(encoding="ascii").split()
#: Modules that need a terminal, a display, a compiler or other programs.
LEFT_OUT = (_HERE / "modules-out.txt").read_text(encoding="ascii").split()

#: Codecs of East Asia, old mainframes and old Macs, which mails do not use any more.
_CODECS = (
    r"big5(hkscs)?|cp(037|1006|1026|1125|1140|273|424|500|720|737|775|8\d\d|9\d\d)|euc_\w+|gb\w+|hp_roman8|hz|"
    r"iso2022_\w+|johab|koi8_t|kz1048|mac_\w+|mbcs|oem|palmos|ptcp154|shift_jis\w*|tis_620|undefined"
)
_UNWANTED = re.compile(
    rf"encodings[./]({_CODECS})(\.pyc)?"
    r"|(.*/)?_?(codecs_\w+|multibytecodec)\.cpython-.*"
    # Files of wheels for installers, and bills of materials, which ours replaces.
    r"|[\w.]+\.dist-info/(RECORD|INSTALLER|REQUESTED|WHEEL|direct_url\.json|sboms/.*)"
)

#: Libraries that the base image gcr.io/distroless/cc-debian13 has and updates; the single file has its own.
_OF_THE_IMAGE = re.compile(r"lib(crypto|ssl|z|zstd|gcc_s)\.so\.\d+")


def wanted(name: str, *, one_file: bool) -> bool:
    """Return whether the module or file `name`, as PyInstaller calls it, is included in the program."""
    return not _UNWANTED.fullmatch(name) and (one_file or not _OF_THE_IMAGE.fullmatch(name))
