"""Make what the tests of this folder start from, so that several processes can share it, or a release.

CAVECRON_CONTAINER_STORE names the folder of the store. `python -m tests.container` makes bases and image;
`… release VERSION` runs packaging/release.sh with these bases, `… remove` takes the store away.
"""

import os
import shutil
import sys

from tests.container import emulator
from tests.container.conftest import opened
from tests.container.stand_ins import build_image, release, take_in_foreign, this_architecture
from tests.support.commands import ROOT


def main(*arguments: str) -> int:
    """Do what the arguments say in the store that CAVECRON_CONTAINER_STORE names; return an exit code."""
    with opened() as engine:
        if arguments == ("remove",):
            engine.clear()
        elif arguments[:1] == ("release",):
            architectures = [this_architecture()]
            if why := emulator.why_not():
                print(f"arm64: {why}", file=sys.stderr)
            else:
                take_in_foreign(engine, "arm64", oldest=True)
                architectures.append("arm64")
            done = release(engine, ROOT, arguments[1], " ".join(architectures))
            print(done.stdout, done.stderr)
            return done.returncode
        else:
            build_image(engine)
    if arguments == ("remove",):
        shutil.rmtree(os.environ["CAVECRON_CONTAINER_STORE"], ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
