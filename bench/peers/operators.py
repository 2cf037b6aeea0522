"""Where the time of training steps goes, by operator, as torch.profiler has it.

    python operators.py NETWORK THREADS WARMUP STEPS SETUP

Prints milliseconds a step: of all, and of each operator without those that it calls.
"""

import json
import sys
import time

import torch
from networks import Training
from torch.profiler import ProfilerActivity, profile

name, threads, warmup, repeats, setup = sys.argv[1:]
torch.set_num_threads(int(threads))
training = Training(name, json.loads(setup))
for _ in range(int(warmup)):
    training.step()
steps = int(repeats)
with profile(activities=[ProfilerActivity.CPU]) as profiled:
    start = time.perf_counter()
    for _ in range(steps):
        training.step()
    ms = (time.perf_counter() - start) * 1000
# Ranges that Python marks, such as Optimizer.step, are no operators.
events = [each for each in profiled.key_averages() if not each.is_user_annotation]
print(json.dumps({"ms": ms / steps, "operators": [(each.key, each.self_cpu_time_total / 1000 / steps) for each in events]}))
