export { addonPath, type SetupContext } from './context.js';
export { type Addon, type EnsureOptions, ensureAddon, installedAddon } from './ensure.js';
export { describeLibtorch, type Libtorch, type LibtorchSource } from './libtorch.js';
export { locateLibtorch } from './locate.js';
