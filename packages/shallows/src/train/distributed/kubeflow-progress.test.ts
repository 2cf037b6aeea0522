import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { EndReason, Progress, TrainEvent } from '../events.js';
import { kubeflowProgress } from './kubeflow-progress.js';

const fixture = (name: string): string => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));

interface Report {
  readonly authorization: string | undefined;
  readonly status: Readonly<Record<string, unknown>>;
}

let server: Server;
let url = '';
let answer = 200;
let reports: Report[] = [];
let folder = '';
let env: Record<string, string> = {};
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'shallows-kubeflow-'));
  const options = {
    key: readFileSync(fixture('localhost-key.pem')),
    cert: readFileSync(fixture('localhost-certificate.pem')),
  };
  server = createServer(options, (request, response) => {
    let body = '';
    request.on('data', (piece) => (body += piece));
    request.on('end', () => {
      const { trainerStatus } = JSON.parse(body) as { trainerStatus: Report['status'] };
      reports.push({ authorization: request.headers.authorization, status: trainerStatus });
      response.writeHead(answer).end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  url = `https://localhost:${typeof address === 'object' && address !== null ? address.port : 0}/status`;
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await new Promise((resolve) => server.close(resolve));
});
beforeEach(() => {
  const token = join(folder, 'token');
  writeFileSync(token, 'first\n');
  env = {
    KUBEFLOW_TRAINER_SERVER_URL: url,
    KUBEFLOW_TRAINER_SERVER_CA_CERT: fixture('localhost-certificate.pem'),
    KUBEFLOW_TRAINER_SERVER_TOKEN: token,
  };
});
afterEach(() => {
  reports = [];
  answer = 200;
});

const at = (fraction: number, elapsedMs = 60_000): Progress => ({
  epoch: 1,
  batch: 10,
  sample: 100,
  elapsedMs,
  fraction,
});
const batch = (fraction: number, loss: number | null): TrainEvent => ({
  ...{ kind: 'batch-end', at: at(fraction), loss, lr: 0.1 },
  ...({ durationMs: 1, active: 1, sites: 1, factor: 1 } as unknown as Extract<TrainEvent, { kind: 'batch-end' }>),
  kind: 'batch-end',
  at: at(fraction),
  loss,
  lr: 0.1,
});
const end = (fraction: number, reason: EndReason): TrainEvent =>
  ({
    kind: 'fit-end',
    at: at(fraction),
    reason,
    metrics: null,
    depth: null,
    factor: 1,
    timing: null,
  }) as unknown as TrainEvent;
const evaluation: TrainEvent = {
  kind: 'evaluation',
  at: at(0.5),
  durationMs: 1,
  train: { loss: 0.5, accuracy: 0.75 },
  validation: { loss: 0.6, accuracy: Number.NaN },
  gap: { loss: 0.1 },
};

/** A callback under a clock that stands still until it is moved. */
function reporting(given: Parameters<typeof kubeflowProgress>[0] = {}) {
  const clock = { ms: Date.UTC(2026, 0, 2) };
  const warnings: string[] = [];
  const callback = kubeflowProgress({ env, now: () => clock.ms, warn: (message) => warnings.push(message), ...given });
  return { callback, clock, warnings };
}

async function arrived(count: number): Promise<void> {
  for (let i = 0; i < 500 && reports.length < count; i++) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(reports).toHaveLength(count);
  // The answer is on its way back.
  await new Promise((resolve) => setTimeout(resolve, 30));
}

test('reports progress, the time left and metrics, at most every 5 s, with the token of the moment', async () => {
  const { callback, clock, warnings } = reporting();
  await callback.onEvent(batch(0.25, 2.5));
  await arrived(1);
  await callback.onEvent(batch(0.26, 2.4));
  clock.ms += 4999;
  await callback.onEvent(evaluation);
  await callback.onEvent(batch(0.5, null));
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(reports).toHaveLength(1);
  writeFileSync(env.KUBEFLOW_TRAINER_SERVER_TOKEN ?? '', 'second');
  clock.ms += 1;
  await callback.onEvent(batch(0.6, null));
  await arrived(2);
  await callback.onEvent(end(1, 'done'));
  expect(reports).toEqual([
    {
      authorization: 'Bearer first',
      status: {
        progressPercentage: 25,
        estimatedRemainingSeconds: 180,
        metrics: [
          { name: 'loss', value: '2.5' },
          { name: 'lr', value: '0.1' },
        ],
        lastUpdatedTime: '2026-01-02T00:00:00.000Z',
      },
    },
    {
      authorization: 'Bearer second',
      status: {
        progressPercentage: 60,
        estimatedRemainingSeconds: 40,
        metrics: [
          { name: 'loss', value: '2.4' },
          { name: 'lr', value: '0.1' },
          { name: 'train.loss', value: '0.5' },
          { name: 'train.accuracy', value: '0.75' },
          { name: 'validation.loss', value: '0.6' },
        ],
        lastUpdatedTime: '2026-01-02T00:00:05.000Z',
      },
    },
    {
      authorization: 'Bearer second',
      status: expect.objectContaining({ progressPercentage: 100, estimatedRemainingSeconds: 0 }),
    },
  ]);
  expect(warnings).toEqual([]);
});

test('only a training that ended is at 100', async () => {
  const { callback } = reporting();
  await callback.onEvent(batch(1, 1));
  await arrived(1);
  await callback.onEvent(end(0.4, 'interrupted'));
  const early = reporting();
  await early.callback.onEvent(end(0.4, 'stopped'));
  expect(reports.map(({ status }) => status.progressPercentage)).toEqual([99, 40, 100]);
});

test('no failure reaches training, and each reason is told once', async () => {
  const refused = reporting();
  answer = 503;
  for (let i = 1; i <= 3; i++) {
    refused.clock.ms += 5000;
    await refused.callback.onEvent(batch(0.1, 1));
    await arrived(i);
  }
  expect(refused.warnings).toEqual([
    `kubeflowProgress: expected a report to ${url} to arrive, got: the server answered 503 - training goes on without`,
  ]);

  const fails = async (replaced: Record<string, string>): Promise<string> => {
    const { callback, warnings } = reporting({ env: { ...env, ...replaced } });
    await callback.onEvent(end(0.5, 'done'));
    return warnings.join();
  };
  expect(await fails({ KUBEFLOW_TRAINER_SERVER_TOKEN: join(folder, 'gone') })).toContain('ENOENT');
  expect(await fails({ KUBEFLOW_TRAINER_SERVER_CA_CERT: '' })).toMatch(/self.signed certificate/);
  expect(await fails({ KUBEFLOW_TRAINER_SERVER_URL: 'https://127.0.0.1:1/status' })).toContain('ECONNREFUSED');
  expect(await fails({ KUBEFLOW_TRAINER_SERVER_URL: 'nonsense' })).toContain('Invalid URL');
});

test('does nothing outside of Kubeflow', async () => {
  const { callback, warnings } = reporting({ env: {} });
  await callback.onEvent(batch(0.5, 1));
  await callback.onEvent(end(1, 'done'));
  expect([reports, warnings]).toEqual([[], []]);
});

test('spares the server', () => {
  expect(() => kubeflowProgress({ intervalMs: 1000 })).toThrow(
    'kubeflowProgress: intervalMs: expected 5000 or more, got 1000',
  );
});
