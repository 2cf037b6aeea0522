"""The networks of bench/ours/networks.ts in PyTorch: torchvision's and timm's where they have them."""

import importlib
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

VOCABULARY = 8192


# torchvision's own operators, which a build of it for another torch lacks: its models and timm's need none, but their imports
# ask for these two. Kept, as they are gone with the library.
library = torch.library.Library("torchvision", "FRAGMENT")


def torchvision():
    for name in ("nms", "qnms"):
        try:
            library.define(name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        except RuntimeError:
            pass  # There already.
    return importlib.import_module("torchvision")


class Block(nn.Module):
    """The block of a CIFAR ResNet with shortcut A (He et al. 2016)."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.stride, self.added = stride, outputs - inputs

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)), inplace=True)))
        if self.stride != 1:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.added // 2, self.added - self.added // 2))
        return F.relu(y.add_(x), inplace=True)


class CifarResNet(nn.Module):
    def __init__(self, depth):
        super().__init__()
        n = (depth - 2) // 6
        stage = lambda i, o, s: nn.Sequential(*[Block(i if k == 0 else o, o, s if k == 0 else 1) for k in range(n)])
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1, self.layer2, self.layer3 = stage(16, 16, 1), stage(16, 32, 2), stage(32, 64, 2)
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return self.fc(self.layer3(self.layer2(self.layer1(x))).mean((2, 3)))


class Encoder(nn.Module):
    """Learnt positions, six of timm's pre-norm blocks (one product for queries, keys and values, fused attention)."""

    def __init__(self, dim=256, depth=6, heads=8, length=128, classes=4):
        super().__init__()
        torchvision()
        from timm.models.vision_transformer import Block as TimmBlock

        norm = partial(nn.LayerNorm, eps=1e-5)
        self.tokens, self.positions = nn.Embedding(VOCABULARY, dim), nn.Embedding(length, dim)
        self.blocks = nn.Sequential(*[TimmBlock(dim, heads, qkv_bias=True, norm_layer=norm) for _ in range(depth)])
        self.norm, self.head = norm(dim), nn.Linear(dim, classes)

    def forward(self, x):
        x = self.tokens(x) + self.positions.weight[: x.shape[1]]
        return self.head(self.norm(self.blocks(x)).mean(1))


def vit():
    torchvision()
    from timm.models.vision_transformer import VisionTransformer

    size = dict(img_size=32, patch_size=4, embed_dim=192, depth=12, num_heads=3)
    return VisionTransformer(num_classes=10, **size)


def convnext():
    return torchvision().models.convnext_tiny(num_classes=1000, stochastic_depth_prob=0.0)


def mlp():
    relu = lambda: nn.ReLU(inplace=True)
    return nn.Sequential(nn.Linear(784, 1024), relu(), nn.Linear(1024, 1024), relu(), nn.Linear(1024, 10))


# Maker, shape of a batch, classes, optimizer.
NETWORKS = {
    "resnet110": (lambda: CifarResNet(110), (128, 3, 32, 32), 10, "sgd"),
    "resnet50": (lambda: torchvision().models.resnet50(num_classes=1000), (16, 3, 64, 64), 1000, "sgd"),
    "vit": (vit, (64, 3, 32, 32), 10, "adamw"),
    "convnext": (convnext, (8, 3, 64, 64), 1000, "adamw"),
    "encoder": (Encoder, (32, 128), 4, "adamw"),
    "mlp": (mlp, (256, 784), 10, "sgd"),
}


class Training:
    """A network with an optimizer and a batch. `setup`: {channels_last, optimizer: foreach or fused, compile}."""

    def __init__(self, name, setup):
        make, shape, classes, kind = NETWORKS[name]
        self.model = make()
        self.parameters = sum(p.numel() for p in self.model.parameters())
        self.inputs = torch.randint(VOCABULARY, shape) if name == "encoder" else torch.randn(shape)
        self.targets = torch.randint(classes, (shape[0],))
        if setup["channels_last"]:
            self.model = self.model.to(memory_format=torch.channels_last)
            if self.inputs.dim() == 4:
                self.inputs = self.inputs.contiguous(memory_format=torch.channels_last)
        how = {setup["optimizer"]: True}
        parameters = self.model.parameters()
        if kind == "adamw":
            self.optimizer = torch.optim.AdamW(parameters, lr=1e-4, weight_decay=0.05, **how)
        else:
            sgd = dict(lr=0.01, momentum=0.9, nesterov=True, weight_decay=1e-4)
            self.optimizer = torch.optim.SGD(parameters, **sgd, **how)
        self.forward = torch.compile(self.model) if setup.get("compile") else self.model

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(self.forward(self.inputs), self.targets).backward()
        self.optimizer.step()
