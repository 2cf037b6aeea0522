// The most resident memory of a process that trains so many steps. Arguments: NETWORK, threads, steps, set-up as JSON.
import { setNumThreads } from '@shallows/torch';
import { type Setup, training } from './networks.js';
import { peakMB } from './peak.js';
import { trainingStep } from './training-step.js';

const [name = '', threads, steps, setup = ''] = process.argv.slice(2);
setNumThreads(Number(threads));
const trained = training(name, JSON.parse(setup) as Setup);
for (let i = 0; i < Number(steps); i++) trainingStep(trained);
console.log(JSON.stringify({ 'peak resident memory, MB': peakMB(), parameters: trained.model.parameterCount }));
