import { parentPort } from 'node:worker_threads';
import { codeOf } from '../../files/index.js';
import { reasonOf } from './inspect.js';
import { type Answer, perform, type Request } from './jobs.js';

// The program of a disk thread: one job after the other, each blocking this thread and no other.
parentPort?.on('message', (request: Request) => {
  const { id } = request;
  let answer: Answer;
  try {
    answer = { id, result: perform(request) };
  } catch (error) {
    answer = { id, failure: { message: reasonOf(error), code: codeOf(error) } };
  }
  parentPort?.postMessage(answer);
});
