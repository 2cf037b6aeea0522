export { ClassificationMeter, type ClassificationResult } from './classification-meter.js';
export { StreamingMean } from './streaming-mean.js';
