import { Trend } from '../../metrics/training/trend.js';
import type { Callback, TrainEvent } from '../../train/events.js';
import { Curve } from './curve.js';
import { epochLine, evaluationLine, nonFiniteText, resumedLine, warningLine } from './event-lines.js';
import { panelLines } from './panels.js';
import { Screen, type TextOutput } from './screen.js';
import { advance, atRest, type Standing } from './standing.js';
import { type LineStyle, statusLine } from './status-line.js';

/** Options of `progressCallback`. */
export interface ProgressOptions {
  readonly output?: TextOutput;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Written before every line that stays: which of several runs it is. */
  readonly label?: string;
  /** Whether small plots are drawn under the status line, where the terminal has room; true unless given. */
  readonly curves?: boolean;
  /** Milliseconds, for the throttle. */
  readonly now?: () => number;
}

const REDRAW_MS = 100;
const LOSS_DECAY = 0.9;

/**
 * Shows a run as it goes, on stderr. On a terminal: a status line and under it the curves of training loss and validation metric,
 * redrawn ten times a second at most and taken away at the end; elsewhere a line for each epoch and each evaluation. Warnings
 * are lines that stay. `NO_COLOR` and `TERM=dumb` are respected.
 *
 * Dispose it where a run fails: it then takes away what it drew.
 *
 * @see https://no-color.org
 */
export function progressCallback({
  output = process.stderr,
  env = process.env,
  label,
  curves = true,
  now = () => performance.now(),
}: ProgressOptions = {}): Callback & Disposable {
  const live = output.isTTY === true && env.TERM !== 'dumb';
  const prefix = label === undefined ? '' : `${label}: `;
  const screen = new Screen(output);
  const [loss, validation] = [new Curve(), new Curve()];
  let smooth = new Trend(LOSS_DECAY);
  let standing: Standing = atRest;
  let drawnAt = Number.NEGATIVE_INFINITY;

  const style = (): LineStyle => styleOf(output, env, live);
  const draw = (): void => {
    if (!live) return;
    drawnAt = now();
    const told = { loss: loss.points, validation: validation.points, metric: standing.primary.name };
    const panels = curves ? panelLines(told, { ...style(), rows: output.rows ?? 0 }) : [];
    screen.draw([statusLine(standing, style()), ...(panels.length > 0 ? ['', ...panels] : [])]);
  };
  const say = (line: string): void => screen.say(`${prefix}${line}`);
  const clear = (): void => screen.clear();
  // A second interrupt ends the process at once, and then nobody disposes of anything.
  const own = live && (output === process.stderr || output === process.stdout);
  if (own) process.once('exit', clear);

  return {
    onEvent(event) {
      const before = standing;
      standing = advance(standing, event);
      switch (event.kind) {
        case 'fit-start':
          loss.clear();
          validation.clear();
          smooth = new Trend(LOSS_DECAY);
          draw();
          break;
        case 'batch-end':
          follow(event, loss, smooth);
          if (now() - drawnAt >= REDRAW_MS) draw();
          break;
        case 'evaluation':
          validation.add(event.at.batch, standing.metric ?? Number.NaN);
          say(evaluationLine(event, standing, before.best));
          if (event.at.fraction < 1) draw();
          break;
        case 'epoch-end':
          if (!live) say(epochLine(event, standing));
          break;
        case 'warning':
          say(warningLine(event.message, style()));
          break;
        case 'non-finite':
          say(warningLine(nonFiniteText(event), style()));
          break;
        case 'resumed':
          say(resumedLine(event));
          break;
        case 'checkpoint':
          if (event.failure !== null)
            say(warningLine(`the checkpoint ${event.name} was not saved: ${event.failure}`, style()));
          break;
        case 'fit-end':
          clear();
          if (event.why !== null) say(`stopped: ${event.why}`);
          break;
      }
    },
    [Symbol.dispose]() {
      clear();
      if (own) process.off('exit', clear);
    },
  };
}

function follow({ at, loss }: Extract<TrainEvent, { kind: 'batch-end' }>, curve: Curve, smooth: Trend): void {
  if (loss === null) return;
  curve.add(at.batch, Number.isFinite(loss) ? smooth.add(loss) : Number.NaN);
}

function styleOf({ columns }: TextOutput, env: Readonly<Record<string, string | undefined>>, live: boolean): LineStyle {
  // Some terminals say 0 columns. The last column stays free: others wrap when it is filled.
  return { width: (columns || 80) - 1, colour: live && !env.NO_COLOR, unicode: env.TERM !== 'linux' };
}
