"""Writes autograd.fixture.json: a small convolutional network's loss and gradients, and FLOP counts of some calls.

Run with PyTorch 2.13: python autograd.fixture.py
"""

import json
import pathlib

import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

generator = torch.Generator().manual_seed(0)
shapes = {
    'image': [2, 3, 8, 8],
    'kernel': [4, 3, 3, 3],
    'scale': [4],
    'shift': [4],
    'weight': [5, 4],
    'bias': [5],
}
tensors = {name: torch.randn(*shape, generator=generator) for name, shape in shapes.items()}
leaves = {name: tensor.clone().requires_grad_() for name, tensor in tensors.items()}

x = F.conv2d(leaves['image'], leaves['kernel'], padding=1)
x = F.relu(F.batch_norm(x, None, None, leaves['scale'], leaves['shift'], training=True))
x = F.adaptive_avg_pool2d(F.max_pool2d(x, 2), 1).flatten(1)
loss = F.cross_entropy(F.linear(x, leaves['weight'], leaves['bias']), torch.tensor([1, 4]))
loss.backward()

a = torch.tensor([0.3, -0.7, 1.2], requires_grad=True)
first = torch.autograd.grad((a.sin() * a.pow(3)).sum(), a, create_graph=True)[0]
second = torch.autograd.grad(first.sum(), a)[0]


def flops(call, *sizes):
    with FlopCounterMode(display=False) as counter:
        call(*[torch.randn(*size) for size in sizes])
    return counter.get_total_flops()


counts = {
    'conv2d': flops(lambda x, w: F.conv2d(x, w, stride=2, padding=1), (2, 4, 9, 7), (6, 4, 3, 3)),
    'grouped conv2d': flops(lambda x, w: F.conv2d(x, w, groups=2), (2, 4, 9, 7), (6, 2, 3, 3)),
    'conv1d': flops(F.conv1d, (2, 4, 9), (6, 4, 3)),
    'conv_transpose2d': flops(lambda x, w: F.conv_transpose2d(x, w, stride=2), (2, 4, 5, 5), (4, 3, 3, 3)),
    'linear': flops(F.linear, (7, 5, 4), (3, 4), (3,)),
    'mm': flops(torch.mm, (3, 4), (4, 5)),
    'bmm': flops(torch.bmm, (2, 3, 4), (2, 4, 5)),
    'matmul': flops(torch.matmul, (2, 3, 4), (4, 5)),
    'addmm': flops(torch.addmm, (3, 5), (3, 4), (4, 5)),
    # The counter does not see the fused kernel of the CPU, but has the formula.
    'scaled_dot_product_attention': sdpa_flop_count((2, 3, 5, 4), (2, 3, 6, 4), (2, 3, 6, 4)),
}

document = {
    'shapes': shapes,
    'inputs': {name: tensor.flatten().tolist() for name, tensor in tensors.items()},
    'loss': loss.item(),
    'gradients': {name: leaf.grad.flatten().tolist() for name, leaf in leaves.items()},
    'second': second.tolist(),
    'flops': counts,
}
target = pathlib.Path(__file__).with_suffix('.json')
target.write_text(json.dumps(document, indent=1) + '\n')
print(counts)
