import { join } from 'node:path';
import { loadSafetensors, type Tensor } from '@shallows/torch';
import { ShallowsError } from '../../errors.js';
import type { JsonObject } from '../../nn/index.js';
import type { Snapshot } from '../state.js';
import { readExactJson } from './exact-json.js';
import { holdCheckpoint } from './hold.js';
import { inspectCheckpoint, readVerified, reasonOf } from './inspect.js';
import { type ContentFile, checkpointFiles, limits, modelPrefix } from './layout.js';
import type { Manifest } from './manifest.js';

type Tensors = Readonly<Record<string, Tensor>>;

/** A snapshot that was read: its tensors are its own, and freed with it. */
export interface LoadedSnapshot extends Snapshot, Disposable {
  readonly manifest: Manifest;
}

/**
 * Reads a checkpoint. Nothing of it is used before it is known to be what was written: sizes and digests of all files are
 * compared with the manifest, and that with the marker.
 *
 * @returns tensors on the CPU, which the caller frees: `using snapshot = readCheckpoint(path)`
 * @throws ShallowsError naming the file that is not as it was written
 */
export function readCheckpoint(path: string): LoadedSnapshot {
  using _ = holdCheckpoint(path);
  const manifest = manifestOf('readCheckpoint', path);
  const json = readJson(path, manifest);
  const model = readTensors('readCheckpoint', path, checkpointFiles.model, manifest);
  let state: Tensors;
  try {
    state = readTensors('readCheckpoint', path, checkpointFiles.state, manifest);
  } catch (error) {
    dispose(model);
    throw error;
  }
  const tensors = {
    ...state,
    ...Object.fromEntries(Object.entries(model).map(([name, each]) => [modelPrefix + name, each])),
  };
  return { tensors, json, manifest, [Symbol.dispose]: () => dispose(tensors) };
}

/**
 * Reads the model of a checkpoint alone: its state dict, verified as {@link readCheckpoint} does.
 *
 * @returns tensors on the CPU by the keys of the model's state dict, which the caller frees
 * @throws ShallowsError naming the file that is not as it was written
 */
export function readCheckpointModel(path: string): Record<string, Tensor> {
  using _ = holdCheckpoint(path);
  return readTensors('readCheckpointModel', path, checkpointFiles.model, manifestOf('readCheckpointModel', path));
}

function manifestOf(fn: string, path: string): Manifest {
  const { manifest, problem } = inspectCheckpoint(path);
  if (manifest === null) throw unreadable(fn, path, problem);
  return manifest;
}

function readJson(path: string, { files }: Manifest): JsonObject {
  const name = checkpointFiles.json;
  try {
    const json = readExactJson(name, readVerified(join(path, name), files[name], limits.jsonBytes).toString('utf8'));
    if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json as JsonObject;
    throw new Error('expected an object');
  } catch (error) {
    throw unreadable('readCheckpoint', path, `${name}: ${reasonOf(error)}`, error);
  }
}

function readTensors(fn: string, path: string, name: ContentFile, { files }: Manifest): Record<string, Tensor> {
  try {
    return loadSafetensors(join(path, name), { sha256: files[name].sha256 }).tensors;
  } catch (error) {
    throw unreadable(fn, path, `${name}: ${reasonOf(error)}`, error);
  }
}

function unreadable(fn: string, path: string, problem: string, cause?: unknown): ShallowsError {
  return new ShallowsError(
    `${fn}: expected a checkpoint as it was written at ${path}, got ${problem} - take another; resuming from 'auto' takes the newest that verifies`,
    cause === undefined ? {} : { cause },
  );
}

function dispose(tensors: Tensors): void {
  for (const tensor of Object.values(tensors)) tensor.dispose();
}
