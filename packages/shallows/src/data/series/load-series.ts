import { ShallowsError, shown } from '../../errors.js';
import { readNpy } from '../numpy/npy.js';
import type { DataSplits } from '../splits.js';
import { cellError, noSuchColumn } from '../tabular/cell-errors.js';
import { readTable } from '../tabular/read-table.js';
import { usualMissingValues } from '../tabular/table-config.js';
import { type Series, seriesWindows, type WindowOptions } from './windows.js';

/** A series in a file: a column a channel, a row a step, in the order of time. */
export interface SeriesConfig extends WindowOptions {
  readonly kind: 'series';
  /** A .npy file `[steps]` or `[steps, channels]`, a .parquet file, or else a CSV file. */
  readonly path: string;
  /** Columns of a table that a model sees; all unless given. Channels of an array are called 0, 1, 2, … */
  readonly columns?: readonly string[] | undefined;
  /** Those of them that are forecast; all unless given. */
  readonly targets?: readonly string[] | undefined;
  /** Between the cells of a CSV file; a comma unless given. */
  readonly delimiter?: string | undefined;
}

const fn = 'readSeries';

/** Reads the series of a configuration and cuts it into rows. */
export async function loadSeries(config: SeriesConfig): Promise<DataSplits> {
  const { path } = config;
  const { values, channels } = path.endsWith('.npy') ? await fromArray(config) : await fromTable(config);
  const targets = (config.targets ?? channels).map((name) => {
    const channel = channels.indexOf(name);
    if (channel < 0) throw noSuchColumn(fn, path, name, channels);
    return channel;
  });
  return seriesWindows('series', { values, channels, targets }, config);
}

async function fromArray({ path, columns }: SeriesConfig): Promise<Omit<Series, 'targets'>> {
  const { dtype, shape, values } = await readNpy(path);
  const [steps = 0, width = 1, ...rest] = shape;
  if (rest.length > 0 || shape.length === 0 || steps * width === 0 || dtype.startsWith('complex'))
    throw new ShallowsError(
      `${fn}: expected real numbers [steps] or [steps, channels] in ${path}, got ${dtype} [${shape.join(', ')}] - reshape them`,
    );
  const all = Array.from({ length: width }, (_, i) => String(i));
  const channels = columns ?? all;
  const places = channels.map((name) => {
    const place = all.indexOf(name);
    if (place < 0) throw noSuchColumn(fn, path, name, all);
    return place;
  });
  return interleave(path, channels, steps, (step, channel) => Number(values[step * width + (places[channel] ?? 0)]));
}

async function fromTable({ path, columns, delimiter = ',' }: SeriesConfig): Promise<Omit<Series, 'targets'>> {
  const file = path.endsWith('.parquet')
    ? ({ format: 'parquet', path } as const)
    : ({ format: 'csv', path, delimiter, header: true, missingValues: usualMissingValues } as const);
  const { rows, numeric } = await readTable(fn, file, columns === undefined ? {} : { columns });
  const channels = [...numeric.keys()];
  const values = [...numeric.values()];
  if (rows === 0) throw new ShallowsError(`${fn}: expected steps in ${path}, got none - check the path`);
  return interleave(path, channels, rows, (step, channel) => values[channel]?.[step] ?? Number.NaN);
}

function interleave(
  file: string,
  channels: readonly string[],
  steps: number,
  valueAt: (step: number, channel: number) => number,
): Omit<Series, 'targets'> {
  const width = channels.length;
  const values = Float64Array.from({ length: steps * width }, (_, i) => {
    const [row, channel] = [Math.floor(i / width), i % width];
    const value = valueAt(row, channel);
    if (Number.isFinite(value)) return value;
    const cell = { file, row, column: channels[channel] ?? '' };
    throw cellError(fn, cell, 'a finite number', shown(value), 'fill it in: a series has no gaps');
  });
  return { values, channels };
}
