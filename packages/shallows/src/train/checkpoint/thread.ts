import { parentPort } from 'node:worker_threads';
import { codeOf } from '../../files/index.js';
import { reasonOf } from './inspect.js';
import { type Answer, perform, type Request } from './jobs.js';

// The program of a disk thread: one job after the other, each blocking this thread and no other.
let done = Promise.resolve();
parentPort?.on('message', (request: Request) => {
  done = done.then(async () => parentPort?.postMessage(await answerTo(request)));
});

async function answerTo(request: Request): Promise<Answer> {
  const { id } = request;
  try {
    return { id, result: await perform(request) };
  } catch (error) {
    return { id, failure: { message: reasonOf(error), code: codeOf(error) } };
  }
}
