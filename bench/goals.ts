/** What the project aims at; numbers are those of a `GoalLine`. Ratios are ours ÷ peer unless said otherwise: below 1 is faster. */
export const goals: readonly string[] = [
  'A call costs no more than from Python, forward and backward, 1 thread.',
  'A training step takes no longer than in PyTorch eager at 2 threads, and at most 0.92 of it on convolution networks.',
  'Dropping saves time: time saved ÷ FLOPs saved is at least 0.97 by gate, a step takes at most 1.03 of its ideal by rows.',
  'T random passes cost at most a tenth more than prefix + T · suffix, and are 8 times faster than the Python loop for dropout before the head.',
  "At most 0.9 of the memory of PyTorch's process; rows and gate lower the peak of activations by the dropped share ± 10 %.",
  'The first step comes in at most half the time; `shallows --help` takes at most 150 ms and loads no libtorch.',
  'Reading data and checkpoints takes no longer than in Python.',
  'Step time is a straight line in depth within 5 % from 20 to 1202 layers; two processes with a core each reach 0.85 of twice the speed with depth on.',
];
