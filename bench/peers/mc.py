"""Monte-Carlo dropout as it is written in Python: T random passes beside one evaluation.

    python mc.py NETWORK METHOD T THREADS ROUNDS

NETWORK: resnet50 (dropout before the head), vit (dropout in the last 2 of 12 blocks). METHOD: loop (T calls of the model with
its dropouts in training mode), replicated (one call with the batch T times). Prints {measured: [{one, many}, ...]} in
milliseconds.
"""

import json
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

network, method, passes, threads, rounds = sys.argv[1:]
passes, threads, rounds = int(passes), int(threads), int(rounds)
torch.set_num_threads(threads)
relu = lambda x: F.relu(x, inplace=True)


class Bottleneck(nn.Module):
    def __init__(self, i, width, stride):
        super().__init__()
        o = 4 * width
        self.conv1, self.bn1 = nn.Conv2d(i, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, o, 1, bias=False), nn.BatchNorm2d(o)
        projected = nn.Sequential(nn.Conv2d(i, o, 1, stride, bias=False), nn.BatchNorm2d(o))
        self.downsample = projected if stride != 1 or i != o else nn.Identity()

    def forward(self, x):
        branch = self.bn3(self.conv3(relu(self.bn2(self.conv2(relu(self.bn1(self.conv1(x))))))))
        return relu(branch + self.downsample(x))


class ResNet50(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        blocks, i = [], 64
        for width, count, stride in [(64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)]:
            for k in range(count):
                blocks.append(Bottleneck(i, width, stride if k == 0 else 1))
                i = 4 * width
        self.blocks, self.drop, self.fc = nn.Sequential(*blocks), nn.Dropout(0.2), nn.Linear(2048, 1000)

    def forward(self, x):
        x = F.max_pool2d(relu(self.bn(self.conv(x))), 3, 2, 1)
        return self.fc(self.drop(self.blocks(x).mean((2, 3))))


class Block(nn.Module):
    def __init__(self, d, heads, rate):
        super().__init__()
        self.norm1, self.norm2, self.heads = nn.LayerNorm(d, eps=1e-6), nn.LayerNorm(d, eps=1e-6), heads
        self.qkv, self.proj, self.fc1 = (nn.Linear(d, n * d) for n in (3, 1, 4))
        self.fc2 = nn.Linear(4 * d, d)
        self.drops = nn.ModuleList(nn.Dropout(rate) if rate else nn.Identity() for _ in range(3))

    def forward(self, x):
        b, t, d = x.shape
        qkv = self.qkv(self.norm1(x)).view(b, t, 3, self.heads, d // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        seen = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, t, d)
        x = x + self.drops[0](self.proj(seen))
        return x + self.drops[2](self.fc2(self.drops[1](F.gelu(self.fc1(self.norm2(x))))))


class ViT(nn.Module):
    def __init__(self, d=192, heads=3, depth=12):
        super().__init__()
        self.patch, self.cls = nn.Conv2d(3, d, 4, 4), nn.Parameter(torch.zeros(1, 1, d))
        self.pos = nn.Parameter(torch.zeros(1, 65, d))
        self.blocks = nn.Sequential(*[Block(d, heads, 0.1 if i >= depth - 2 else 0) for i in range(depth)])
        self.norm, self.head = nn.LayerNorm(d, eps=1e-6), nn.Linear(d, 10)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(x.shape[0], -1, -1), x], 1) + self.pos
        return self.head(self.norm(self.blocks(x))[:, 0])


model, x = (ResNet50(), torch.randn(8, 3, 224, 224)) if network == "resnet50" else (ViT(), torch.randn(8, 3, 32, 32))


def statistics(probabilities):
    mean = probabilities.mean(0)
    entropy = -torch.special.xlogy(mean, mean).sum(-1)
    return entropy, entropy + torch.special.xlogy(probabilities, probabilities).sum(-1).mean(0)


def timed(run):
    start = time.perf_counter()
    with torch.inference_mode():
        run()
    return (time.perf_counter() - start) * 1000


def random(on):
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.train(on)


def many():
    random(True)
    if method == "loop":
        outputs = torch.stack([model(x) for _ in range(passes)])
    else:
        outputs = model(x.repeat(passes, 1, 1, 1)).view(passes, x.shape[0], -1)
    statistics(outputs.softmax(-1))
    random(False)


model.eval()
one = lambda: timed(lambda: model(x))
one()
measured = []
for _ in range(rounds):
    before = one()
    manyMs = timed(many)
    measured.append({"one": (before + one()) / 2, "many": manyMs})
print(json.dumps({"measured": measured}))
