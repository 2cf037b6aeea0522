import { grouped, percent, significant, span, steady, tenths } from '../format.js';
import { metricWords } from '../metric-words.js';
import type { Standing } from './standing.js';

/** How a status line is drawn. */
export interface LineStyle {
  /** Columns that it may fill. */
  readonly width: number;
  readonly colour: boolean;
  /** False where only ASCII is sure to print. */
  readonly unicode: boolean;
}

interface Part {
  readonly text: string;
  /** Parts of a higher rank go first when the terminal is narrow. */
  readonly rank: number;
  readonly colour?: number;
}

const GAP = 2;
const BAR = { least: 8, most: 28 };

/** One line that says where a run stands. It is never wider than `width`; the least important parts are left out first. */
export function statusLine(standing: Standing, style: LineStyle): string {
  let parts = partsOf(standing);
  const used = (): number => parts.reduce((sum, { text }) => sum + text.length + GAP, 0);
  while (parts.length > 1 && used() + BAR.least > style.width) {
    const last = Math.max(...parts.map(({ rank }) => rank));
    parts = parts.filter(({ rank }) => rank !== last);
  }
  const room = Math.min(BAR.most, style.width - used());
  const [head, ...rest] = parts.map((part) => painted(part.text, part.colour, style));
  const pieces = [head ?? '', ...(room >= BAR.least ? [bar(standing.fraction, room, style)] : []), ...rest];
  // Only a terminal narrower than the epoch itself cuts a part.
  return parts.length === 1 && room < BAR.least
    ? (parts[0]?.text ?? '').slice(0, style.width)
    : pieces.join(' '.repeat(GAP));
}

function partsOf(standing: Standing): Part[] {
  const { batch, total, epoch, epochs, fraction } = standing;
  const of = (value: number, whole: number | null): string =>
    whole === null ? grouped(value) : `${grouped(value)}/${grouped(whole)}`;
  const loss =
    standing.loss === null
      ? []
      : [{ text: `loss ${steady(standing.loss)}`, rank: 3, colour: Number.isFinite(standing.loss) ? 0 : 31 }];
  const words = metricWords(standing.primary.name);
  const metric =
    standing.metric === null ? [] : [{ text: `${words.short} ${words.shown(standing.metric)}`, rank: 4, colour: 32 }];
  const blocks =
    standing.sites === 0
      ? []
      : [{ text: `${standing.noun.many} ${tenths(standing.active)}/${String(standing.sites)}`, rank: 6 }];
  return [
    { text: `epoch ${of(epoch, epochs)}`, rank: 0, colour: 1 },
    { text: percent(fraction, 0).padStart(5), rank: 1 },
    { text: `batch ${of(batch, total)}`, rank: 8 },
    ...loss,
    ...metric,
    { text: `lr ${significant(standing.lr)}`, rank: 7 },
    { text: `${span(standing.stepMs)}/step`, rank: 5 },
    ...blocks,
    { text: `ETA ${standing.remainingMs === null ? '?' : span(standing.remainingMs)}`, rank: 2, colour: 2 },
  ];
}

function bar(fraction: number, width: number, { colour, unicode }: LineStyle): string {
  const filled = Math.round(Math.min(1, Math.max(0, fraction)) * width);
  const [full, empty] = unicode ? ['━', colour ? '━' : '·'] : ['#', '-'];
  const style: LineStyle = { width, colour, unicode };
  return painted(full.repeat(filled), 36, style) + painted(empty.repeat(width - filled), 90, style);
}

/** Text in a colour or weight of the terminal, by its SGR code; as it is where there are no colours. */
export function painted(text: string, code: number | undefined, { colour }: LineStyle): string {
  return colour && code !== undefined && code !== 0 && text !== '' ? `\u001b[${String(code)}m${text}\u001b[0m` : text;
}
