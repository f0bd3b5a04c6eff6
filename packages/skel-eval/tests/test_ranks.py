import os
import subprocess
import sys

import numpy as np
import pytest

from skel_eval import same_on_all_ranks

# Two processes draw a tenth of the labels: by seed alone, or with the rank in it, as a program can get wrong.
# Whole lines are written at once, since both write to one pipe.
DRAW = """
import os
import numpy as np
from torch import distributed
from skel_eval import same_on_all_ranks

distributed.init_process_group("gloo")
for seed in (7, 7 + distributed.get_rank()):
    try:
        same_on_all_ranks(np.random.default_rng(seed).permutation(1000)[:100], "labelled clips")
        told = "same"
    except RuntimeError as error:
        told = str(error)
    os.write(1, f"{told}\\n".encode())
distributed.destroy_process_group()
"""


@pytest.mark.slow
def test_labels_drawn_by_rank_are_caught_and_those_by_seed_are_not():
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone"]
    words = [*torchrun, "--no-python", sys.executable, "-c", DRAW]
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    result = subprocess.run(words, env=env, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-2000:]
    told = "labelled clips must be the same in all processes; those of ranks 0 and [1] differ"
    assert sorted(result.stdout.splitlines()) == sorted(["same", told] * 2)


def test_one_process_has_nobody_to_differ_from():
    same_on_all_ranks(np.arange(3), "rows")
