"""Files: locks, atomic writing, and arrays with digests."""

from skel_data.files._atomic import check_folder, partial_folder, settle, sync, write_atomically, write_file
from skel_data.files._checked import check_all_blocks, open_checked, write_checked
from skel_data.files._lock import InUseError, Lock, hold, partial_path, remove_left_behind, remove_partials

__all__ = [
    "InUseError",
    "Lock",
    "check_all_blocks",
    "check_folder",
    "hold",
    "open_checked",
    "partial_folder",
    "partial_path",
    "remove_left_behind",
    "remove_partials",
    "settle",
    "sync",
    "write_atomically",
    "write_checked",
    "write_file",
]
