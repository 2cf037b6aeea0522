/**
 * Every error of this package: `operator: expected …, got … - do …`.
 *
 * Errors of libtorch come with the operator's name and the shapes and dtypes it was called with.
 */
export class TorchError extends Error {
  override readonly name = 'TorchError';
}

/** What to do about the errors of libtorch that people meet most. */
const hints: readonly (readonly [RegExp, string])[] = [
  [/mat1 and mat2 shapes cannot be multiplied/, 'make the last dimension of the first equal the first of the second'],
  [/must match the size of tensor|not broadcastable/, 'make the shapes equal, or 1 where they may be stretched'],
  [/shape '.*' is invalid for input of size/, 'give sizes whose product is the number of elements'],
  [/leaf Variable that requires grad is being used in an in-place/, 'wrap the change in noGrad(() => …)'],
  [/modified by an inplace operation/, 'use the version of the operator without the trailing underscore'],
  [/does not require grad and does not have a grad_fn/, 'set requiresGrad on what the result is computed from'],
  [/grad can be implicitly created only for scalar outputs/, 'reduce to a scalar first, or give backward(gradient)'],
  [/backward through the graph a second time/, 'pass { retainGraph: true } to the first backward'],
  [/appears to not have been used in the graph/, 'pass { allowUnused: true }'],
  [/expected scalar type|expected m1 and m2 to have the same dtype|should be the same/, 'convert with .to(dtype)'],
  [/Expected all tensors to be on the same device/, 'move them with .to(device)'],
  [/can't allocate memory|out of memory/, 'use a smaller batch, or free tensors with scope(() => …)'],
  [
    /Torch not compiled with CUDA|Found no NVIDIA driver|backend that's missing/,
    'see `shallows env` for the devices here',
  ],
  [/a (tensor|generator), got one that was disposed/, 'return it from scope(() => …), or keep(tensor)'],
];

/** Turns whatever the native side threw into a {@link TorchError}, with advice where there is some. */
export function toTorchError(error: unknown): Error {
  if (!(error instanceof Error) || error instanceof TorchError) return error as Error;
  const message = error.message;
  const hint = hints.find(([pattern]) => pattern.test(message));
  if (hint === undefined) return new TorchError(message);
  const [first, ...rest] = message.split('\n');
  return new TorchError([`${first} - ${hint[1]}`, ...rest].join('\n'));
}
