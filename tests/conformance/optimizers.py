"""PyTorch's optimizers beside ours:  python optimizers.py FOLDER

Reads FOLDER/NAME/middle.safetensors and middle.json: the weights (`weight.0`, …) and the state that our optimizer had after 25
steps. Writes FOLDER/NAME/result.safetensors: `own.0`, … the weights of PyTorch after 50 steps of its own, `resumed.0`, … those after
25 steps that go on from our state. Gradients are hashed numbers, as in the test.
"""

import json
import pathlib
import sys

import torch
from safetensors.torch import load_file, save_file

from reference import values

torch.set_num_threads(1)
SHAPES = [[64, 3, 3, 3], [1000], [37, 19], [5]]
CLASSES = {
    "SGD": lambda ps, **o: torch.optim.SGD(ps, **o),
    "SGD fused": lambda ps, **o: torch.optim.SGD(ps, fused=True, **o),
    "Adam": lambda ps, **o: torch.optim.Adam(ps, fused=True, **o),
    "AdamW": lambda ps, **o: torch.optim.AdamW(ps, fused=True, **o),
    "RMSprop": lambda ps, **o: torch.optim.RMSprop(ps, **o),
}


def steps(optimizer, params, first, last):
    for step in range(first, last):
        for i, p in enumerate(params):
            p.grad = values(SHAPES[i], 100 * step + i, 2.0)
        optimizer.step()


def weights():
    return [values(shape, 7000 + i, 2.0).requires_grad_() for i, shape in enumerate(SHAPES)]


def state_dict(tensors, groups):
    state = {}
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    return {"state": state, "param_groups": groups}


def run(folder):
    saved = json.loads((folder / "middle.json").read_text())
    make, options = CLASSES[saved["optimizer"]], saved["options"]
    own = weights()
    steps(make(own, **options), own, 0, 50)
    tensors = load_file(folder / "middle.safetensors")
    resumed = [tensors.pop(f"weight.{i}").requires_grad_() for i in range(len(SHAPES))]
    optimizer = make(resumed, lr=9.0)
    fused = optimizer.param_groups[0].get("fused")
    optimizer.load_state_dict(state_dict(tensors, saved["json"]["param_groups"]))
    # Which kernels to run is no matter of the state, but PyTorch takes it from there.
    for group in optimizer.param_groups:
        group["fused"] = fused
    steps(optimizer, resumed, 25, 50)
    result = {f"own.{i}": p.detach() for i, p in enumerate(own)}
    result |= {f"resumed.{i}": p.detach() for i, p in enumerate(resumed)}
    save_file(result, folder / "result.safetensors")


if __name__ == "__main__":
    for folder in sorted(pathlib.Path(sys.argv[1]).iterdir()):
        run(folder)
