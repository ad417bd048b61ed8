"""The command `cavecron`, which is the same as `python -m cavecron`.

It imports nothing else until it can handle Ctrl-C.
"""

import sys


def entry() -> None:
    """Run the command that the process was started with, and exit with its code."""
    try:
        from cavecron.cli import main  # noqa: PLC0415 - Ctrl-C while it is loaded shall print one line

        main.entry()
    except KeyboardInterrupt:  # `main` handles one that comes later
        if sys.stderr is not None:
            print("cavecron : interrompu", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    entry()
