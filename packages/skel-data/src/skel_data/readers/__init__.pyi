from ._reader import Reader, Work, find_each
from ._registry import READERS
from ._source import Source

__all__ = ["READERS", "Reader", "Source", "Work", "find_each"]
