"""Decodes and augments pictures as torchvision does it, with PIL and worker processes. Prints microseconds a picture.

    python pictures.py FOLDER WORKERS

PIL is asked for a draft: JPEG files are decoded at the smallest size that is large enough, which is the fastest way.
"""

import json
import sys
import time

from networks import torchvision

torchvision()
import torch
from PIL import Image
from torchvision import datasets, transforms

folder, workers = sys.argv[1], int(sys.argv[2])
torch.set_num_threads(1)
SIZE, BATCH = 128, 64


def draft(path):
    with open(path, "rb") as file:
        picture = Image.open(file)
        picture.draft("RGB", (SIZE, SIZE))
        return picture.convert("RGB")


change = transforms.Compose(
    [
        transforms.Resize(SIZE),
        transforms.CenterCrop(SIZE),
        transforms.RandomCrop(SIZE, padding=8),
        transforms.RandomHorizontalFlip(),
        transforms.ToTensor(),
        transforms.Normalize([0.5] * 3, [0.25] * 3),
    ]
)
dataset = datasets.ImageFolder(folder + "/train", change, loader=draft)
more = dict(num_workers=workers, persistent_workers=workers > 0)
loader = torch.utils.data.DataLoader(dataset, batch_size=BATCH, shuffle=True, **more)
for _ in loader:
    pass
start = time.perf_counter()
for _ in loader:
    pass
elapsed = time.perf_counter() - start
print(json.dumps({"a picture, decoded and augmented, µs": elapsed * 1e6 / len(dataset)}))
