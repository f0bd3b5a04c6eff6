"""Make the golden numbers of AGCN, CTRGCN and HCN in this folder, with the published programs.

Run ``python make.py ISC CTRGCN CUBISM``, the folders of checkouts of github.com/fmthoker/skeleton-contrast
(made with commit bacd86a), github.com/Uason-Chen/CTR-GCN (e13d758) and github.com/shanice-l/st-cubism
(079a173), in an environment with torch. All is in double precision, without dropout.

Weights and clips are not kept but drawn again, with `draw`, from the shapes in ``config`` (JSON): published
names in ``state``, the shape of the clips in ``clips``. ``out.eval`` is the feature in eval mode,
``out.train`` the one in training mode after it, ``out.after`` in eval mode once more, with the statistics of
BatchNorm that training has moved.
"""

import importlib.util
import json
import sys
import types
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent


def draw(shapes):
    """Arrays by name, from the raw bits of a generator, which NumPy promises not to change."""
    bits, arrays = np.random.PCG64(0), {}
    for name, shape in shapes.items():
        x = (bits.random_raw(int(np.prod(shape))) >> 11) * 2.0**-53  # in [0, 1)
        if name.endswith("running_var"):
            x = 1 + x
        elif len(shape) == 1 and name.endswith("weight"):  # of BatchNorm, and slopes of PReLU
            x = (0.5 + x) / 2
        else:
            x = (2 * x - 1) * (3 / np.prod(shape[1:])) ** 0.5
        arrays[name] = np.reshape(x, shape)
    return arrays


def published(folder, path):
    """A module of a checkout."""
    for name in [name for name in sys.modules if name.partition(".")[0] in ("graph", "utils")]:
        del sys.modules[name]
    for name in ("torchvision", "torchnet", "visdom", "openpyxl"):  # imported there, and not needed here
        sys.modules.setdefault(name, types.ModuleType(name))
    sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location("published", Path(folder) / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make(name, model, feature, clips):
    """Keep what a published model says of drawn clips, with drawn weights."""
    import torch

    model = model.double()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout2d):
            module.p = 0.0
    state = model.state_dict()
    shapes = {key: list(value.shape) for key, value in state.items() if value.is_floating_point()}
    weights = {key: torch.from_numpy(value) for key, value in draw(shapes).items()}
    model.load_state_dict(state | weights)
    x = torch.from_numpy(draw({"clips": clips})["clips"])
    outputs = {}
    for key, training in (("out.eval", False), ("out.train", True), ("out.after", False)):
        with torch.no_grad():
            outputs[key] = feature(model.train(training), x).numpy()
    config = json.dumps({"state": shapes, "clips": clips})
    np.savez_compressed(HERE / f"{name}.npz", config=np.array(config), **outputs)


def main(isc, ctrgcn, cubism):
    """Make all of them."""
    import torch

    torch.Tensor.cuda = lambda self, *_: self.double()
    model = published(isc, "moco/AGCN.py").Model()
    make("agcn", model, lambda model, x: model(x, knn_eval=True), [2, 3, 9, 25, 2])
    model = published(ctrgcn, "model/ctrgcn.py").Model(graph="graph.ntu_rgb_d.Graph")
    model.fc = torch.nn.Identity()
    make("ctrgcn", model, lambda model, x: model(x), [2, 3, 9, 25, 2])
    size = {"out_channel": 4, "window_size": 35}
    model = published(isc, "moco/HCN.py").HCN(**size)
    make("hcn.isc", model, lambda model, x: model(x, knn_eval=True), [2, 3, 35, 25, 2])
    model = published(cubism, "model_ours/HCN.py").HCN(**size)
    make("hcn.ts-cubism", model, lambda model, x: model(x)[2], [2, 3, 35, 25, 2])


if __name__ == "__main__":
    main(*sys.argv[1:])
