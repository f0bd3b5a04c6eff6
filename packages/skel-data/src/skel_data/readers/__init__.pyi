from ._reader import Reader as Reader, Work as Work, find_each as find_each
from ._registry import READERS as READERS
from ._source import Source as Source
