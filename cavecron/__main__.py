"""`python -m cavecron`: the same as the command `cavecron`."""

from cavecron.cli import entry

if __name__ == "__main__":
    entry()
