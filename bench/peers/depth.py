"""Training steps with stochastic depth as Python systems do it, each beside one with nothing dropped.

    python depth.py NETWORK METHOD DROP SCHEDULE THREADS PAIRS

NETWORK: resnet110, resnet50, vit. METHOD: mask (torchvision's and timm's row mask), batch-mask (torchvision's batch mode),
subset (DINOv2's rows), gate (Composer's block method). Prints [{full, dropped, saved}, ...] in milliseconds and shares of
forward work, the latter counted from what was really left out.
"""

import json
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

network, method, drop, schedule, threads, pairs = sys.argv[1:]
drop, threads, pairs = float(drop), int(threads), int(pairs)
torch.set_num_threads(threads)


class Residual(nn.Module):
    """Owns the drop: rate 0 runs the plain block."""

    def __init__(self):
        super().__init__()
        self.rate = 0.0
        self.active = 1.0  # share of the branch's work that the last step computed

    def join(self, x, shortcut, branch, after):
        self.active = 1.0
        if self.rate == 0:
            return after(shortcut(x) + branch(x))
        keep = 1 - self.rate
        if method == "gate":  # Composer: one draw a block, a dropped one is not called
            if torch.bernoulli(torch.tensor(keep)):
                return after(shortcut(x) + branch(x))
            self.active = 0.0
            skipped = shortcut(x)
            return skipped if skipped is x else after(skipped)
        if method == "subset":  # DINOv2: max(int(b * keep), 1) rows, added back with b / k
            b = x.shape[0]
            k = max(int(b * keep), 1)
            rows = torch.randperm(b)[:k]
            self.active = k / b
            part = branch(x[rows])
            base = shortcut(x)
            out = torch.index_add(base.flatten(1), 0, rows, part.flatten(1).to(base.dtype), alpha=b / k)
            return after(out.view_as(base))
        part = branch(x)
        shape = [x.shape[0] if method == "mask" else 1] + [1] * (part.ndim - 1)
        noise = torch.empty(shape, dtype=part.dtype).bernoulli_(keep).div_(keep)
        return after(shortcut(x) + part * noise)


relu = lambda x: F.relu(x, inplace=True)


class Basic(Residual):
    def __init__(self, i, o, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(i, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o)
        self.conv2, self.bn2 = nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o)
        self.stride, self.added = stride, o - i

    def shortcut(self, x):
        if self.stride == 1:
            return x
        return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.added // 2, self.added - self.added // 2))

    def forward(self, x):
        branch = lambda x: self.bn2(self.conv2(relu(self.bn1(self.conv1(x)))))
        return self.join(x, self.shortcut, branch, relu)


class Bottleneck(Residual):
    def __init__(self, i, width, stride):
        super().__init__()
        o = 4 * width
        self.conv1, self.bn1 = nn.Conv2d(i, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, o, 1, bias=False), nn.BatchNorm2d(o)
        projected = nn.Sequential(nn.Conv2d(i, o, 1, stride, bias=False), nn.BatchNorm2d(o))
        self.downsample = projected if stride != 1 or i != o else None

    def forward(self, x):
        branch = lambda x: self.bn3(self.conv3(relu(self.bn2(self.conv2(relu(self.bn1(self.conv1(x))))))))
        return self.join(x, self.downsample or (lambda x: x), branch, relu)


class Cifar(nn.Module):
    def __init__(self, n):
        super().__init__()
        stage = lambda i, o, s: [Basic(i if k == 0 else o, o, s if k == 0 else 1) for k in range(n)]
        self.conv, self.bn = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        self.blocks = nn.Sequential(*stage(16, 16, 1), *stage(16, 32, 2), *stage(32, 64, 2))
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        return self.fc(self.blocks(relu(self.bn(self.conv(x)))).mean((2, 3)))


class ResNet50(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        blocks, i = [], 64
        for width, count, stride in [(64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)]:
            for k in range(count):
                blocks.append(Bottleneck(i, width, stride if k == 0 else 1))
                i = 4 * width
        self.blocks = nn.Sequential(*blocks)
        self.fc = nn.Linear(2048, 1000)

    def forward(self, x):
        x = F.max_pool2d(relu(self.bn(self.conv(x))), 3, 2, 1)
        return self.fc(self.blocks(x).mean((2, 3)))


class Half(Residual):
    """One residual half of a transformer block."""

    def __init__(self, d, heads):
        super().__init__()
        self.norm, self.heads = nn.LayerNorm(d, eps=1e-6), heads
        if heads:
            self.qkv, self.proj = nn.Linear(d, 3 * d), nn.Linear(d, d)
        else:
            self.fc1, self.fc2 = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def branch(self, x):
        x = self.norm(x)
        if not self.heads:
            return self.fc2(F.gelu(self.fc1(x)))
        b, t, d = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, t, d))

    def forward(self, x):
        return self.join(x, lambda x: x, self.branch, lambda x: x)


class ViT(nn.Module):
    def __init__(self, d=192, depth=12, heads=3):
        super().__init__()
        self.patch = nn.Conv2d(3, d, 4, 4)
        self.cls, self.pos = nn.Parameter(torch.zeros(1, 1, d)), nn.Parameter(torch.randn(1, 65, d) * 0.02)
        self.blocks = nn.Sequential(*[Half(d, heads if k % 2 == 0 else 0) for k in range(2 * depth)])
        self.norm, self.head = nn.LayerNorm(d, eps=1e-6), nn.Linear(d, 10)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(x.shape[0], -1, -1), x], 1) + self.pos
        return self.head(self.norm(self.blocks(x))[:, 0])


make, shape = {
    "resnet110": (lambda: Cifar(18), (64, 3, 32, 32)),
    "resnet50": (ResNet50, (16, 3, 64, 64)),
    "vit": (ViT, (64, 3, 32, 32)),
}[network]
torch.manual_seed(1)
model = make()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=1e-4, fused=True)
x, y = torch.randn(shape), torch.randint(10, (shape[0],))
# Where convolutions are fastest; DINOv2's rows are added back flat, which would copy them there and back.
if network != "vit" and method != "subset":
    model, x = (each.to(memory_format=torch.channels_last) for each in (model, x))
blocks = list(model.blocks)
layers = len(blocks) // 2 if network == "vit" else len(blocks)
layer = lambda k: k // 2 if network == "vit" else k
rates = [drop if schedule == "uniform" else drop * (layer(k) + 1) / layers for k in range(len(blocks))]


def flops_of():
    """Forward multiply-adds of the whole model and of each block's branch, by hooks on its products."""
    total, current, each = [0.0], [None], [0.0] * len(blocks)

    def count(module, _, out):
        if isinstance(module, nn.Conv2d):
            work = out.numel() * module.weight[0].numel()
        else:
            work = out.numel() * module.in_features
        total[0] += work
        owner = owners.get(module)
        if owner is not None:
            each[owner] += work

    owners = {}
    for k, block in enumerate(blocks):
        for name, module in block.named_modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)) and "downsample" not in name:
                owners[module] = k
    hooks = [m.register_forward_hook(count) for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    with torch.no_grad():
        model(x)
    for hook in hooks:
        hook.remove()
    if network == "vit":  # the two products of attention, which no module owns
        b, t, d = shape[0], 65, 192
        for k in range(0, len(blocks), 2):
            each[k] += 2 * b * t * t * d
            total[0] += 2 * b * t * t * d
    return total[0], each


total, branches = flops_of()


def step(dropping):
    for block, rate in zip(blocks, rates):
        block.rate = rate if dropping else 0.0
    start = time.perf_counter()
    optimizer.zero_grad(set_to_none=True)
    F.cross_entropy(model(x), y).backward()
    optimizer.step()
    ms = (time.perf_counter() - start) * 1000
    return ms, sum((1 - block.active) * work for block, work in zip(blocks, branches)) / total


# The share of work that the method would save if what it drops were not computed.
def requested():
    return sum(rate * work for rate, work in zip(rates, branches)) / total


# With nothing dropped first: the fused optimizer fails where some parameters have a momentum yet and others have none.
for _ in range(3):
    step(False)
    step(True)
out = []
for i in range(pairs):
    order = [False, True] if i % 2 == 0 else [True, False]
    measured = {dropping: step(dropping) for dropping in order}
    saved = measured[True][1] if method in ("gate", "subset") else requested()
    out.append({"full": measured[False][0], "dropped": measured[True][0], "saved": saved})
print(json.dumps({"pairs": out}))
