"""Reads the project's Markdown: its shell blocks, links and headings."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

_BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """The commands of one shell block; a command that goes on after a backslash is one."""

    page: str
    number: int
    commands: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}:{self.number}"


def shell_blocks() -> list[Block]:
    """Every ```bash block, in the order of the pages."""
    blocks = []
    for page in PAGES:
        texts = [text for _, language, text in _BLOCK.findall(page.read_text()) if language in ("bash", "sh", "shell")]
        for number, text in enumerate(texts, start=1):
            lines = (line.strip() for line in text.replace("\\\n", " ").splitlines())
            commands = tuple(line for line in lines if line and not line.startswith("#"))
            blocks.append(Block(str(page.relative_to(ROOT)), number, commands))
    return blocks


def links(page: Path) -> list[str]:
    """Where a page's links lead, those of code left out."""
    return _LINK.findall(re.sub(r"`[^`]*`", "", _BLOCK.sub("", page.read_text())))


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", _BLOCK.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
