"""What of Python's standard library is in the program, and what of Debian is not.

PyInstaller's recipe and the tests go by it.
"""

import re
from pathlib import Path

_HERE = Path(__file__).parent
#: Present for jobs of one's own, besides whatever cavecron itself imports.
FOR_OWN_JOBS = (_HERE / "modules-in.txt").read_text(encoding="ascii").split()
#: Of no use without a terminal, a display, a compiler or other programs.
LEFT_OUT = (_HERE / "modules-out.txt").read_text(encoding="ascii").split()

#: Codecs of East Asia, of old mainframes and of old Macs: no mail and no cellar is written in them any more.
_CODECS = (
    r"big5(hkscs)?|cp(037|1006|1026|1125|1140|273|424|500|720|737|775|8\d\d|9\d\d)|euc_\w+|gb\w+|hp_roman8|hz|"
    r"iso2022_\w+|johab|koi8_t|kz1048|mac_\w+|mbcs|oem|palmos|ptcp154|shift_jis\w*|tis_620|undefined"
)
_UNWANTED = re.compile(
    rf"encodings[./]({_CODECS})(\.pyc)?"
    r"|(.*/)?_?(codecs_\w+|multibytecodec)\.cpython-.*"
    # What wheels carry for installers, and bills of material that ours replaces.
    r"|[\w.]+\.dist-info/(RECORD|INSTALLER|REQUESTED|WHEEL|direct_url\.json|sboms/.*)"
)

#: Debian 13's own in gcr.io/distroless/cc-debian13, which updates them. Not there for the single file.
_OF_THE_IMAGE = re.compile(r"lib(crypto|ssl|z|zstd|gcc_s)\.so\.\d+")


def wanted(name: str, *, one_file: bool) -> bool:
    """Return whether the module or file `name`, as PyInstaller calls it, belongs into the program."""
    return not _UNWANTED.fullmatch(name) and (one_file or not _OF_THE_IMAGE.fullmatch(name))
