import { native } from './native.js';

/** Hands libtorch's warnings on as Node warnings of type `TorchWarning`, each text once. */
export function forwardWarnings(): void {
  for (const message of native().takeWarnings()) {
    if (seen.has(message)) continue;
    seen.add(message);
    process.emitWarning(message, 'TorchWarning');
  }
}

const seen = new Set<string>();
