"""What a person should know of an import beside its counts: each note counted, with one example."""

from dataclasses import dataclass


@dataclass
class Note:
    """One note: how often it applied, and the first case."""

    count: int
    example: str
    is_warning: bool

    def line(self, text: str) -> str:
        """The note as a line; ``text`` follows the count."""
        example = f", such as {self.example}" if self.example else ""
        return f"{'WARNING: ' if self.is_warning else ''}{self.count:,} {text}{example}"


class Notes:
    """Notes by their text, in the order in which they first applied."""

    def __init__(self) -> None:
        self._notes: dict[str, Note] = {}

    def add(self, text: str, count: int = 1, example: str = "", *, is_warning: bool = False) -> None:
        """Count a note."""
        if count:
            note = self._notes.setdefault(text, Note(0, example, is_warning))
            note.count += count

    def lines(self) -> list[str]:
        """A line for each note; warnings last."""
        notes = sorted(self._notes.items(), key=lambda pair: pair[1].is_warning)
        return [note.line(text) for text, note in notes]
