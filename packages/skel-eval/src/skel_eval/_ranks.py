"""Check that all ranks of a process group have the same clips and labels."""

import hashlib

from torch import distributed

from skel_eval._arrays import Array, as_tensor


def same_on_all_ranks(values: Array, what: str) -> None:
    """Refuse values that are not the same in all processes of a `torch.distributed` group.

    A subset of the labels that is drawn by rank uses more labels than it tells: two processes with 1 % each
    have nearly 2 %. All processes must call this; without a group nothing is compared.

    Args:
        values: Such as the rows of the labelled clips.
        what: What they are, for the error.

    Raises:
        RuntimeError: If they differ, in all processes.
    """
    if not (distributed.is_available() and distributed.is_initialized()):
        return
    array = as_tensor(values, what).cpu().contiguous().numpy()
    digest = hashlib.blake2b(f"{array.dtype} {array.shape}".encode())
    digest.update(array.tobytes())
    digests: list[str] = [""] * distributed.get_world_size()
    distributed.all_gather_object(digests, digest.hexdigest())
    others = [rank for rank, other in enumerate(digests) if other != digests[0]]
    if others:
        raise RuntimeError(f"{what} must be the same in all processes; those of ranks 0 and {others} differ")
