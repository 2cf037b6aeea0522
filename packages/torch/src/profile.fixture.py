"""What torch.profiler counts of a small network's forward and backward pass: python profile.fixture.py > profile.fixture.json"""

import json

import torch
import torch.nn.functional as F
from torch.profiler import ProfilerActivity, profile

x = torch.ones(8, 3, 16, 16)
w = torch.ones(4, 3, 3, 3, requires_grad=True)
v = torch.ones(5, 4, requires_grad=True)
with profile(activities=[ProfilerActivity.CPU]) as profiled:
    y = F.conv2d(x, w, None, padding=1).relu()
    F.linear(y.mean((2, 3)), v).sum().backward()
print(json.dumps({"torch": torch.__version__, "calls": {e.key: e.count for e in profiled.key_averages()}}, indent=2, sort_keys=True))
