// Where the time of training steps goes, by operator. Arguments: those of step. Prints milliseconds a step: of all, and of each
// operator without those that it calls.
import { profile, setNumThreads } from '@shallows/torch';
import { type Setup, training } from './networks.js';
import { trainingStep } from './training-step.js';

const [name = '', threads, warmup, repeats, setup = ''] = process.argv.slice(2);
setNumThreads(Number(threads));
const trained = training(name, JSON.parse(setup) as Setup);
for (let i = 0; i < Number(warmup); i++) trainingStep(trained);
const steps = Number(repeats);
const { ms, operators } = profile(() => {
  for (let i = 0; i < steps; i++) trainingStep(trained);
});
console.log(
  JSON.stringify({ ms: ms / steps, operators: operators.map((each) => [each.name, each.selfMs / steps] as const) }),
);
