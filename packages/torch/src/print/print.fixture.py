"""Writes print.fixture.json: tensors (as bytes) and the text that PyTorch's repr gives for them.

Run with PyTorch 2.13: python print.fixture.py
"""

import base64
import json
import pathlib

import torch

inf, nan = float('inf'), float('nan')
generator = torch.Generator().manual_seed(0)


def randn(*shape):
    return torch.randn(*shape, generator=generator)


tensors = {
    'scalar': torch.tensor(1.5),
    'scalar whole': torch.tensor(3.0),
    'scalar int': torch.tensor(7),
    'scalar bool': torch.tensor(True),
    'scalar nan': torch.tensor(nan),
    'scalar tiny': torch.tensor(1e-9),
    'scalar negative zero': torch.tensor(-0.0),
    'scalar double': torch.tensor(0.1, dtype=torch.float64),
    'scalar complex': torch.tensor(1 - 2j),
    'empty': torch.empty(0),
    'empty matrix': torch.empty(0, 3),
    'empty int': torch.empty(0, dtype=torch.int64),
    'empty bool cube': torch.empty(2, 0, 4, dtype=torch.bool),
    'vector': torch.tensor([1.0, 2.5, -3.25]),
    'whole floats': torch.tensor([1.0, 20.0, -300.0]),
    'whole and inf': torch.tensor([1.0, inf, -inf, nan]),
    'fractions and inf': torch.tensor([1.5, inf, -inf, nan]),
    'only special': torch.tensor([inf, nan, -inf, 0.0, -0.0]),
    'ties': torch.tensor([0.03125, 0.09375, -0.03125, 0.15625, 1.00005]),
    'large ratio': torch.tensor([1.0, 1001.0, 0.5]),
    'ratio of 1000': torch.tensor([1.0, 1000.0, 500.5]),
    'large': torch.tensor([1.1e8, 2e8]),
    'large whole': torch.tensor([1e8, 99999.0]),
    'above 1e8': torch.tensor([100000008.0, 2.0]),
    'small': torch.tensor([0.00009, 0.00001]),
    'exponents': torch.tensor([1e-38, 1e38, 1e-45]),
    'exponent of three digits': torch.tensor([1e-300, 1e300], dtype=torch.float64),
    'exponent tie': torch.tensor([1.00005e10, 2000050000.0, 3000250000.0], dtype=torch.float64),
    'scientific with special': torch.tensor([1e-10, inf, nan, -1.0, 0.0]),
    'long line': torch.arange(40, dtype=torch.float32) / 7,
    'long ints': torch.arange(60),
    'wide ints': torch.tensor([2**62, -(2**63), 0, 5]),
    'matrix': randn(3, 4),
    'wide matrix': randn(2, 25),
    'cube': randn(2, 3, 4),
    'four dimensions': randn(2, 2, 2, 3),
    'five dimensions': torch.arange(32).reshape(2, 2, 2, 2, 2),
    'one thousand': torch.arange(1000),
    'one thousand and one': torch.arange(1001),
    'summarised floats': torch.arange(1500, dtype=torch.float32) / 3,
    'summarised matrix': (torch.arange(1200, dtype=torch.float32) * 1.5).reshape(40, 30),
    'summarised tall': torch.arange(2004).reshape(501, 4),
    'summarised wide': torch.arange(2004).reshape(4, 501),
    'summarised cube': torch.arange(1280).reshape(8, 8, 20),
    'summarised cube of whole floats': torch.arange(1280).reshape(8, 8, 20).float(),
    'summarised hides the large': torch.cat([torch.zeros(500), torch.full((1,), 1e12), torch.ones(600)]),
    'summarised bool': (torch.arange(1100) % 3 == 0),
    'bool': torch.tensor([[True, False], [False, False]]),
    'uint8': torch.arange(12, dtype=torch.uint8).reshape(3, 4) * 20,
    'int8': torch.tensor([-128, 127, 0], dtype=torch.int8),
    'int16': torch.tensor([-3, 400], dtype=torch.int16),
    'int32': torch.tensor([[1], [-100000]], dtype=torch.int32),
    'float16': torch.tensor([0.1, 1.0, 65504.0, 6e-8], dtype=torch.float16),
    'float16 plain': torch.tensor([0.1, 1.0, 3.75], dtype=torch.float16),
    'bfloat16': torch.tensor([0.1, 1.0, 3.75], dtype=torch.bfloat16),
    'float64': randn(2, 3).double(),
    'complex64': torch.tensor([1 + 2j, -0.5 - 1j, 0j]),
    'complex128': torch.tensor([[1e-8 + 2j, 3 - 1e5j]], dtype=torch.complex128),
    'complex whole': torch.tensor([1 + 2j, 3 - 4j, complex(nan, inf)]),
    'ones of many dimensions': torch.ones(1, 1, 1, 1, 1, 1),
    'single column': torch.arange(5, dtype=torch.float32).reshape(5, 1),
}

cases = []


def add(name, tensor, text, **extra):
    data = tensor.detach().contiguous().flatten()
    raw = data.view(torch.uint8).numpy().tobytes() if data.numel() else b''
    cases.append(
        {
            'name': name,
            'dtype': str(tensor.dtype).removeprefix('torch.'),
            'shape': list(tensor.shape),
            'bytes': base64.b64encode(raw).decode(),
            'text': text,
            **extra,
        }
    )


for name, tensor in tensors.items():
    add(name, tensor, repr(tensor))

leaf = torch.tensor([1.0, 2.0]).requires_grad_()
add('requires grad', leaf, repr(leaf), then='requiresGrad')
add('sum', leaf, repr(leaf.sum()), then='sum')
add('in place', leaf, repr(leaf.clone().mul_(2)), then='mul_')
add('relu', leaf, repr(leaf.relu()), then='relu')
long = torch.arange(24, dtype=torch.float32).requires_grad_()
add('suffix on a new line', long, repr((long * 1.001).double()), then='suffix')
add('meta', leaf, repr(leaf.detach().to('meta')), then='meta')
add('meta int', torch.ones(2, 3, dtype=torch.int64), repr(torch.ones(2, 3, dtype=torch.int64, device='meta')), then='meta')
sparse = torch.tensor([[0.0, 1.5], [2.0, 0.0]])
add('sparse', sparse, repr(sparse.to_sparse()), then='sparse')

target = pathlib.Path(__file__).with_suffix('.json')
target.write_text(json.dumps(cases, indent=1) + '\n')
print(len(cases), 'cases')
