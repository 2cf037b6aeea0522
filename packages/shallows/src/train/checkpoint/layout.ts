/** The files of a checkpoint. */
export const checkpointFiles = {
  /** The weights and buffers of the model, by the keys of its state dict. */
  model: 'model.safetensors',
  /** Every other tensor of the run. */
  state: 'state.safetensors',
  /** Every number and text of the run. */
  json: 'state.json',
  /** What the checkpoint is, and the size and SHA-256 of each file above. */
  manifest: 'manifest.json',
  /** Written last: the SHA-256 of the manifest. A folder without it is no checkpoint. */
  marker: 'COMPLETE',
} as const;

/** The files that hold the run: those that a manifest lists. */
export const contentFiles = [checkpointFiles.model, checkpointFiles.state, checkpointFiles.json] as const;

/** Name of a file that a manifest lists. */
export type ContentFile = (typeof contentFiles)[number];

/** What reading accepts, and so what writing may produce. */
export const limits = Object.freeze({
  jsonBytes: 64 * 1024 * 1024,
  jsonDepth: 64,
  manifestBytes: 1024 * 1024,
  markerBytes: 256,
  nameLength: 100,
});

/** Names of a snapshot's tensors that begin so are the model's. */
export const modelPrefix = 'model.';

/** The whole text of the marker. */
export function markerText(manifestDigest: string): string {
  return `sha256:${manifestDigest}  ${checkpointFiles.manifest}\n`;
}
