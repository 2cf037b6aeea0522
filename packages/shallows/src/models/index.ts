export * from './cifar-resnet.js';
export * from './registry.js';
