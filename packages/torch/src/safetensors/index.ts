export type { SafetensorsHeader, TensorEntry } from './header.js';
export { type LoadOptions, loadSafetensors, readSafetensorsHeader, type Safetensors } from './read.js';
export { saveSafetensors } from './write.js';
