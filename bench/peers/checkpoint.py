"""Saves and loads ResNet-50 with the state of its optimizer. Prints milliseconds; a save is over once it is synced to disk.

    python checkpoint.py torch|safetensors FOLDER ROUNDS
"""

import json
import os
import statistics
import sys
import time

import torch
from networks import Training

kind, folder, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
torch.set_num_threads(2)
training = Training("resnet50", {"channels_last": False, "optimizer": "fused"})
model, optimizer = training.model, training.optimizer
training.step()
os.makedirs(folder, exist_ok=True)


def sync(path):
    handle = os.open(path, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)


def by_torch(path):
    start = time.perf_counter()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, path)
    sync(path)
    saved = time.perf_counter()
    found = torch.load(path, weights_only=True, mmap=True)
    model.load_state_dict(found["model"])
    # The values, not a view of the file: each is copied once.
    for own in found["optimizer"]["state"].values():
        own.update({name: each.clone() for name, each in own.items() if torch.is_tensor(each)})
    optimizer.load_state_dict(found["optimizer"])
    return saved - start, time.perf_counter() - saved


def by_safetensors(path):
    from safetensors.torch import load_file, save_file

    start = time.perf_counter()
    state = optimizer.state_dict()
    tensors = {"model." + name: each for name, each in model.state_dict().items()}
    for i, own in state["state"].items():
        for name, each in own.items():
            if torch.is_tensor(each):
                tensors[f"optimizer.{i}.{name}"] = each
    save_file(tensors, path)
    sync(path)
    saved = time.perf_counter()
    found = load_file(path)
    model.load_state_dict({name[6:]: each for name, each in found.items() if name.startswith("model.")})
    for name, each in found.items():
        if name.startswith("optimizer."):
            _, i, own = name.split(".", 2)
            # The values, not a view of the file: each is copied once.
            state["state"][int(i)][own] = each.clone()
    optimizer.load_state_dict(state)
    return saved - start, time.perf_counter() - saved


times = []
for i in range(rounds + 1):
    times.append((by_torch if kind == "torch" else by_safetensors)(os.path.join(folder, f"{i % 2}.{kind}")))
save, load = (statistics.median(each) * 1000 for each in zip(*times[1:]))
print(json.dumps({"save, ms": save, "training held up by a save, ms": save, "load, ms": load}))
