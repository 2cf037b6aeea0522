"""The help of a usual training script: its imports stand at its top."""

import argparse

import torch

parser = argparse.ArgumentParser(description=f"Trains a network with PyTorch {torch.__version__}.")
parser.add_argument("--depth", type=int, default=20)
parser.add_argument("--epochs", type=int, default=10)
parser.parse_args()
