"""`python -m cavecron`: the same as the command `cavecron`."""

from cavecron.cli.main import entry

if __name__ == "__main__":
    entry()
