export type { Difference } from './difference.js';
export { type ConsistencyReport, consistencyProbe, type ProbeOptions } from './probe.js';
