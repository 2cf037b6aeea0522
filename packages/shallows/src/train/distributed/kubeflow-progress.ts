import { readFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { ShallowsError, shown } from '../../errors.js';
import type { Callback, Progress, TrainEvent } from '../events.js';
import type { Environment } from './environment-reader.js';

/** Options of {@link kubeflowProgress}. */
export interface KubeflowProgressOptions {
  readonly env?: Environment;
  /** The least time between two reports, from 5 s, so that the cluster's server is spared. */
  readonly intervalMs?: number;
  /** Told once for each reason why a report did not arrive. */
  readonly warn?: (message: string) => void;
  /** The time in milliseconds. */
  readonly now?: () => number;
}

interface TrainerStatus {
  readonly progressPercentage: number;
  readonly estimatedRemainingSeconds?: number;
  readonly metrics: readonly { readonly name: string; readonly value: string }[];
  readonly lastUpdatedTime: string;
}

const answerWithinMs = 5000;
const mostMetrics = 256;

/**
 * Tells Kubeflow Trainer how far a training is: a callback that reports progress, the time that is left and the last metrics
 * to the server that the variables `KUBEFLOW_TRAINER_SERVER_URL`, `KUBEFLOW_TRAINER_SERVER_CA_CERT` and
 * `KUBEFLOW_TRAINER_SERVER_TOKEN` name. It does nothing where the first is not set.
 *
 * Training never waits for a report, but for the last one, 5 s at most, and no failure of one reaches it. The token is read
 * for each report, as the cluster replaces it.
 *
 * @throws ShallowsError for an interval below 5 s
 * @see https://www.kubeflow.org/docs/components/trainer
 */
export function kubeflowProgress({
  env = process.env,
  intervalMs = 5000,
  warn = (message) => process.emitWarning(message, 'KubeflowWarning'),
  now = Date.now,
}: KubeflowProgressOptions = {}): Callback {
  if (!(intervalMs >= 5000)) {
    throw new ShallowsError(
      `kubeflowProgress: intervalMs: expected 5000 or more, got ${shown(intervalMs)} - the server takes no more`,
    );
  }
  const url = env.KUBEFLOW_TRAINER_SERVER_URL ?? '';
  if (url === '') return { onEvent: () => undefined };
  const metrics = new Map<string, number>();
  const warned = new Set<string>();
  let [lastAt, sending]: [number, Promise<void> | null] = [Number.NEGATIVE_INFINITY, null];

  const send = (at: Progress, percentage: number): void => {
    lastAt = now();
    const status = statusOf(at, percentage, metrics, lastAt);
    sending = post(url, env, { trainerStatus: status })
      .catch((error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        if (warned.has(reason)) return;
        warned.add(reason);
        warn(`kubeflowProgress: expected a report to ${url} to arrive, got: ${reason} - training goes on without`);
      })
      .finally(() => {
        sending = null;
      });
  };

  return {
    async onEvent(event) {
      note(metrics, event);
      if (event.kind === 'fit-end') {
        await sending;
        send(event.at, event.reason === 'interrupted' ? partOf(event.at) : 100);
        await sending;
      } else if (sending === null && now() - lastAt >= intervalMs) {
        send(event.at, partOf(event.at));
      }
    },
  };
}

/** Whole percents that are done; 100 only says a training that ended. */
function partOf({ fraction }: Progress): number {
  return Math.max(0, Math.min(99, Math.floor(fraction * 100)));
}

function note(metrics: Map<string, number>, event: TrainEvent): void {
  if (event.kind === 'batch-end') {
    if (event.loss !== null) metrics.set('loss', event.loss);
    metrics.set('lr', event.lr);
  } else if (event.kind === 'epoch-end') {
    metrics.set('epoch', event.at.epoch);
  } else if (event.kind === 'evaluation') {
    for (const side of ['train', 'validation'] as const) {
      for (const [name, value] of Object.entries(event[side])) metrics.set(`${side}.${name}`, value);
    }
  }
}

function statusOf(at: Progress, percentage: number, metrics: ReadonlyMap<string, number>, time: number): TrainerStatus {
  const { elapsedMs, fraction } = at;
  const left = percentage === 100 ? 0 : Math.round((elapsedMs / 1000) * (1 / fraction - 1));
  return {
    progressPercentage: percentage,
    ...(Number.isFinite(left) ? { estimatedRemainingSeconds: left } : {}),
    metrics: [...metrics]
      .filter(([, value]) => Number.isFinite(value))
      .slice(0, mostMetrics)
      .map(([name, value]) => ({ name, value: String(value) })),
    lastUpdatedTime: new Date(time).toISOString(),
  };
}

async function post(url: string, env: Environment, body: object): Promise<void> {
  const { KUBEFLOW_TRAINER_SERVER_TOKEN: tokenFile = '', KUBEFLOW_TRAINER_SERVER_CA_CERT: caFile = '' } = env;
  const [token, ca] = await Promise.all([
    tokenFile === '' ? '' : readFile(tokenFile, 'utf8'),
    caFile === '' ? undefined : readFile(caFile),
  ]);
  const text = JSON.stringify(body);
  const headers = {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
    ...(token === '' ? {} : { Authorization: `Bearer ${token.trim()}` }),
  };
  await new Promise<void>((resolve, reject) => {
    const send = url.startsWith('http:') ? httpRequest : httpsRequest;
    const call = send(url, { method: 'POST', headers, ...(ca === undefined ? {} : { ca }) }, (answer) => {
      answer.resume();
      const { statusCode = 0 } = answer;
      answer.once('end', () =>
        statusCode >= 200 && statusCode < 300 ? resolve() : reject(new Error(`the server answered ${statusCode}`)),
      );
    });
    const late = new Error(`no answer within ${answerWithinMs / 1000} s`);
    const timer = setTimeout(() => call.destroy(late), answerWithinMs);
    call.once('error', reject);
    call.once('close', () => clearTimeout(timer));
    call.end(text);
  });
}
