// Each layer of packages/shallows imports only the layers named before it; docs/architecture.md says what they hold.
const layers = [
  'files',
  'random',
  'time',
  'nn',
  'depth',
  'dropout',
  'models',
  'data',
  'metrics',
  'train',
  'track',
  'tune',
  'artifact',
  'doctor',
  'serve',
  'observe',
  'deploy',
  'recipe',
  'cli',
];

const root = '^packages/shallows/src/';
const tests = '\\.test\\.ts$|^tests/|^bench/';
const inLayers = (names) => `${root}(${names.join('|')})/`;

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    ...layers.slice(0, -1).map((layer, index) => ({
      name: `${layer}-imports-only-below`,
      severity: 'error',
      from: { path: inLayers([layer]), pathNot: tests },
      to: { path: inLayers(layers.slice(index + 1)) },
    })),
    {
      name: 'every-folder-is-a-layer',
      comment: 'Name the folder in .dependency-cruiser.cjs, at its place.',
      severity: 'error',
      from: { path: root, pathNot: `${inLayers(layers)}|${root}errors(\\.test)?\\.ts$` },
      to: {},
    },
    {
      name: 'every-folder-is-a-layer-to',
      severity: 'error',
      from: {},
      to: { path: root, pathNot: `${inLayers(layers)}|${root}errors\\.ts$` },
    },
    {
      name: 'errors-stand-alone',
      severity: 'error',
      from: { path: `${root}errors\\.ts$` },
      to: { path: '^packages/' },
    },
    {
      name: 'torch-knows-nothing-of-shallows',
      severity: 'error',
      from: { path: '^packages/torch/' },
      to: { path: '^packages/shallows/' },
    },
    {
      name: 'torch-by-its-front-door',
      severity: 'error',
      from: { path: '^packages/shallows/' },
      to: { path: '^packages/torch/', pathNot: '^packages/torch/src/(setup/)?index\\.ts$' },
    },
    {
      name: 'setup-only-from-cli',
      severity: 'error',
      from: { path: '^packages/', pathNot: `^packages/torch/src/setup/|${inLayers(['cli'])}` },
      to: { path: '^packages/torch/src/setup/' },
    },
    {
      name: 'setup-loads-no-torch',
      comment: 'It runs before there is an addon.',
      severity: 'error',
      from: { path: '^packages/torch/src/setup/', pathNot: tests },
      to: { path: '^packages/torch/src/', pathNot: '^packages/torch/src/(setup/|errors\\.ts$)' },
    },
    {
      name: 'no-tests-in-sources',
      severity: 'error',
      from: { path: '^packages/', pathNot: tests },
      to: { path: tests },
    },
    {
      name: 'no-development-dependencies-in-sources',
      severity: 'error',
      from: { path: '^packages/[^/]+/src/', pathNot: tests },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'no-cycles',
      comment: 'A link of types alone is gone when the code runs.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'all-resolved',
      comment: 'Scripts that run in a process of their own load what is compiled, which may not be there yet.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true, pathNot: '/dist/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(bench|tests/torture|packages/[^/]+)/dist/' },
    tsConfig: { fileName: 'tsconfig.tests.json' },
    tsPreCompilationDeps: true,
    combinedDependencies: true,
    exoticRequireStrings: [],
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['types', 'import', 'node', 'default'] },
  },
};
