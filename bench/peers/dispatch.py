"""One tiny operator, a chain of a thousand, and the backward pass of that chain. Prints microseconds an operator."""

import json
import statistics
import time

import torch

CHAIN = 1000
torch.set_num_threads(1)
a, b = torch.ones(1), torch.ones(1)
leaf = torch.tensor([1.0], requires_grad=True)
add = torch.ops.aten.add.Tensor


def chain():
    for _ in range(CHAIN):
        a.add(b)


def escape_hatch():
    for _ in range(CHAIN):
        add(a, b)


def forward_and_backward():
    y = leaf.add(b)
    for _ in range(CHAIN - 1):
        y = y.add(b)
    y.backward()
    leaf.grad = None


def per_operator(run, warmup=100, repeats=200):
    for _ in range(warmup):
        run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e6 / CHAIN


with torch.no_grad():
    plain, hatch = per_operator(chain), per_operator(escape_hatch)
print(
    json.dumps(
        {
            "add, no gradient": plain,
            "add through ops.aten, no gradient": hatch,
            "add, forward and backward": per_operator(forward_and_backward),
        }
    )
)
