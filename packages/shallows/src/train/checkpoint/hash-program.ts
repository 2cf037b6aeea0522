import { parentPort } from 'node:worker_threads';
import { sha256Of } from './sha256.js';

// The program of a hash thread.
parentPort?.on('message', (pieces: readonly Uint8Array[]) => parentPort?.postMessage(sha256Of(pieces)));
