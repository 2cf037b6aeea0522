"""One tiny operator, a chain of a thousand, and the backward pass of that chain. Prints microseconds an operator.

    python dispatch.py WARMUP REPEATS
"""

import json
import statistics
import sys
import time

import torch
from measure import measure

CHAIN = 1000
warmup, repeats = map(int, sys.argv[1:])
torch.set_num_threads(1)
a, b = torch.ones(1), torch.ones(1)
leaf = torch.tensor([1.0], requires_grad=True)
add = torch.ops.aten.add.Tensor


def one_by_one():
    for _ in range(CHAIN):
        a.add(b)


def chain():
    y = a
    for _ in range(CHAIN):
        y = y.add(b)


def escape_hatch():
    for _ in range(CHAIN):
        add(a, b)


def recorded():
    y = leaf.add(b)
    for _ in range(CHAIN - 1):
        y = y.add(b)
    return y


def forward_and_backward():
    recorded().backward()
    leaf.grad = None


def per_operator(run):
    return measure(run, warmup, repeats) * 1000 / CHAIN


def backward_alone():
    times = []
    for i in range(warmup + repeats):
        y = recorded()
        start = time.perf_counter()
        y.backward()
        ms = (time.perf_counter() - start) * 1000
        if i >= warmup:
            times.append(ms)
        leaf.grad = None
    return statistics.median(times) * 1000 / CHAIN


with torch.no_grad():
    found = {
        "an add by itself, no gradient, µs": per_operator(one_by_one),
        "add in a chain, no gradient, µs": per_operator(chain),
        "add through ops.aten, no gradient, µs": per_operator(escape_hatch),
    }
found["add in a chain, recorded, µs"] = per_operator(recorded)
found["backward of the chain, µs"] = backward_alone()
found["forward and backward, µs"] = per_operator(forward_and_backward)
print(json.dumps(found))
