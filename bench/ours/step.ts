// Training steps with nothing dropped: forward, loss, backward, optimizer. Prints milliseconds a step.
// Arguments: NETWORK, threads, warm-up steps, steps, set-up as JSON.
import { setNumThreads } from '@shallows/torch';
import { measure } from './measure.js';
import { type Setup, training } from './networks.js';
import { trainingStep } from './training-step.js';

const [name = '', threads, warmup, repeats, setup = ''] = process.argv.slice(2);
setNumThreads(Number(threads));
const trained = training(name, JSON.parse(setup) as Setup);
const parameters = trained.model.parameterCount;
const step = measure(() => trainingStep(trained), { warmup: Number(warmup), repeats: Number(repeats) });
console.log(JSON.stringify({ 'step, ms': step, parameters }));
