"""The most resident memory of a process that trains so many steps.

    python memory.py NETWORK THREADS STEPS SETUP
"""

import json
import re
import resource
import sys

import torch
from networks import Training

name, threads, steps, setup = sys.argv[1:]
torch.set_num_threads(int(threads))
training = Training(name, json.loads(setup))
for _ in range(int(steps)):
    training.step()
try:
    with open("/proc/self/status") as status:
        peak = int(re.search(r"^VmHWM:\s+(\d+) kB", status.read(), re.M)[1])
except OSError:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"peak resident memory, MB": peak * 1024 / 1e6, "parameters": training.parameters}))
