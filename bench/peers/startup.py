"""From nothing to the end of a first training step. Prints the time of day in milliseconds at which it ended."""

import json
import time

import torch
import torch.nn.functional as F
from torch import nn

model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
F.cross_entropy(model(torch.randn(32, 784)), torch.randint(10, (32,))).backward()
optimizer.step()
print(json.dumps({"at": time.time() * 1000}))
