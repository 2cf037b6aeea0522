"""Training steps in PyTorch: in-place relu, set_to_none, foreach or fused optimizer.

    python step.py NETWORK THREADS WARMUP STEPS SETUP

Prints milliseconds a step, or {"failed": why} where the set-up asks for torch.compile and it does not work here.
"""

import json
import sys

import torch
from measure import measure
from networks import Training

name, threads, warmup, repeats, setup = sys.argv[1:]
torch.set_num_threads(int(threads))
setup = json.loads(setup)
training = Training(name, setup)
try:
    ms = measure(training.step, int(warmup), int(repeats))
except Exception as error:
    if not setup.get("compile"):
        raise
    why = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    print(json.dumps({"failed": "did not compile: " + why.strip()}))
else:
    print(json.dumps({"step, ms": ms, "parameters": training.parameters}))
