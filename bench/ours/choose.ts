// Which set-up makes the steps of a network fastest: prints it. Arguments: NETWORK, threads, steps of each.
import { clearGrads, setNumThreads } from '@shallows/torch';
import { measure } from './measure.js';
import { type Setup, training } from './networks.js';
import { trainingStep } from './training-step.js';

const [name = '', threads, repeats] = process.argv.slice(2);
setNumThreads(Number(threads));
const isPicture = ['resnet110', 'resnet50', 'convnext', 'vit'].includes(name);
const candidates: Setup[] = (isPicture ? [false, true] : [false]).flatMap((channelsLast) =>
  [false, true].map((fused) => ({ channelsLast, fused })),
);
const timed = candidates.map((setup) => {
  const trained = training(name, setup);
  const ms = measure(() => trainingStep(trained), { warmup: 2, repeats: Number(repeats) });
  clearGrads(trained.model.parameters());
  for (const each of [trained.model, trained.optimizer, trained.inputs, trained.targets]) each.dispose();
  return { setup, ms };
});
timed.sort((a, b) => a.ms - b.ms);
console.log(JSON.stringify(timed[0]?.setup));
