import type { Benchmark } from '../benchmark.js';
import { checkpoint } from './checkpoint.js';
import { data } from './data.js';
import { depth } from './depth.js';
import { dispatch } from './dispatch.js';
import { mc } from './mc.js';
import { memory } from './memory.js';
import { scale } from './scale.js';
import { startup } from './startup.js';
import { step } from './step.js';

/** All benchmarks, in the order in which they run and are told of. A result keeps the rows that its own benchmark made. */
export const benchmarks: readonly Benchmark[] = [dispatch, step, depth, mc, memory, startup, data, checkpoint, scale];
