"""Which set-up makes the steps of a network fastest in eager mode: prints it.

    python choose.py NETWORK THREADS STEPS
"""

import json
import sys

import torch
from measure import measure
from networks import Training

name, threads, repeats = sys.argv[1:]
torch.set_num_threads(int(threads))
pictures = name in ("resnet110", "resnet50", "convnext", "vit")
timed = []
for channels_last in [False, True] if pictures else [False]:
    for optimizer in ["foreach", "fused"]:
        setup = {"channels_last": channels_last, "optimizer": optimizer}
        training = Training(name, setup)
        timed.append((measure(training.step, 2, int(repeats)), setup))
        del training
print(json.dumps(min(timed, key=lambda each: each[0])[1]))
