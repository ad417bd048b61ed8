"""Prepare the store for the tests of this folder, so that several processes can share it, or make a release.

CAVECRON_CONTAINER_STORE names the folder of the store. `python -m tests.container` makes base images and
image; `… release VERSION` runs packaging/release.sh with these base images, `… remove` deletes the store.
"""

import os
import shutil
import sys

from tests.container import emulator
from tests.container.conftest import open_engine
from tests.container.stand_ins import build_image, import_foreign_bases, release, this_architecture
from tests.support.commands import ROOT


def main(*arguments: str) -> int:
    """Execute the arguments in the store that CAVECRON_CONTAINER_STORE names; return an exit code."""
    with open_engine() as engine:
        if arguments == ("remove",):
            engine.clear()
        elif arguments[:1] == ("release",):
            architectures = [this_architecture()]
            if reason := emulator.reason_for_skip():
                print(f"arm64: {reason}", file=sys.stderr)
            else:
                import_foreign_bases(engine, "arm64", oldest=True)
                architectures.append("arm64")
            result = release(engine, ROOT, arguments[1], " ".join(architectures))
            print(result.stdout, result.stderr)
            return result.returncode
        else:
            build_image(engine)
    if arguments == ("remove",):
        shutil.rmtree(os.environ["CAVECRON_CONTAINER_STORE"], ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
