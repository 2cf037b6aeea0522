export type { SafetensorsHeader, TensorEntry } from './header.js';
export { type LoadOptions, loadSafetensors, readSafetensorsHeader, type Safetensors } from './read.js';
export { encodeSafetensors, saveSafetensors } from './write.js';
