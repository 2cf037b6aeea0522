"""Writes safetensors.fixture.json: files that the reference implementation wrote, and what is in them.

Run with PyTorch 2.13 and safetensors 0.8: python safetensors.fixture.py
"""

import base64
import json
import pathlib

import torch
from safetensors.torch import save

generator = torch.Generator().manual_seed(0)


def randn(*shape):
    return torch.randn(*shape, generator=generator)


files = {
    'every dtype': (
        {
            'float64': randn(2, 3).double(),
            'float32': randn(3),
            'float16': randn(2, 2).half(),
            'bfloat16': randn(5).bfloat16(),
            'int64': torch.tensor([-(2**63), 2**63 - 1, 0]),
            'int32': torch.tensor([[-5, 7]], dtype=torch.int32),
            'int16': torch.tensor([-300, 300], dtype=torch.int16),
            'int8': torch.tensor([-128, 127, 1], dtype=torch.int8),
            'uint8': torch.tensor([0, 255, 3], dtype=torch.uint8),
            'bool': torch.tensor([True, False, True]),
            'complex64': torch.tensor([1 - 2j, 0.5j]),
        },
        None,
    ),
    'metadata': ({'x': torch.ones(2)}, {'format': 'pt'}),
    'shapes': ({'scalar': torch.tensor(2.5), 'empty': torch.ones(0, 3), 'cube': randn(2, 1, 3), 'none': torch.ones(0, dtype=torch.bool)}, None),
    'names': ({'ü€😀': torch.ones(1), 'a"b\\c\n': torch.zeros(1), '': torch.ones(1) * 2, '\uffee': torch.ones(1) * 3, '__proto__': torch.ones(1) * 4}, None),
    'order': ({name: torch.ones(1) for name in ['b', 'a', 'B', 'layer.10.w', 'layer.2.w']}, None),
    'nothing': ({}, None),
}

document = []
for name, (tensors, metadata) in files.items():
    document.append(
        {
            'name': name,
            'file': base64.b64encode(save(tensors, metadata)).decode(),
            'metadata': metadata or {},
            'tensors': [
                {
                    'name': key,
                    'dtype': str(value.dtype).removeprefix('torch.'),
                    'shape': list(value.shape),
                    'bytes': base64.b64encode(value.flatten().view(torch.uint8).numpy().tobytes() if value.numel() else b'').decode(),
                }
                for key, value in tensors.items()
            ],
        }
    )

target = pathlib.Path(__file__).with_suffix('.json')
target.write_text(json.dumps(document, indent=1) + '\n')
