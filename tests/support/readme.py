"""The commands of README.md, for the tests and .ci/run that run them.

`python -m tests.support.readme TAG` prints the block whose fence says ```sh TAG. It runs on a bare Python.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"
_FENCE = re.compile(r"^```(?P<kind>\w+)(?: +(?P<tag>[\w-]+))?\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the word after it if any, its line number and its text."""

    kind: str
    tag: str | None
    line: int
    text: str


def blocks(page: str) -> Iterator[Block]:
    """Yield the fenced blocks of a page in their order."""
    for match in _FENCE.finditer(page):
        line = page.count("\n", 0, match.start()) + 1
        yield Block(kind=match["kind"], tag=match["tag"], line=line, text=match["text"])


def tagged(tag: str) -> Block:
    """Return the one block of README.md with this tag."""
    (block,) = (block for block in blocks(README.read_text(encoding="utf-8")) if block.tag == tag)
    return block


if __name__ == "__main__":
    print(tagged(sys.argv[1]).text, end="")
