import { EventEmitter } from 'node:events';
import { describe, expect, test } from 'vitest';
import { catchInterrupt } from './interrupt.js';

function source() {
  const codes: number[] = [];
  return Object.assign(new EventEmitter(), { codes, exit: (code: number) => codes.push(code) });
}

describe('catchInterrupt', () => {
  test.each(['SIGINT', 'SIGTERM'] as const)('%s asks for a clean end, the next one ends at once', (name) => {
    const signals = source();
    let said = '';
    using interrupt = catchInterrupt({ write: (text) => (said += text) }, signals);
    expect(interrupt.signal.aborted).toBe(false);
    signals.emit(name);
    expect(interrupt.signal.aborted).toBe(true);
    expect(said).toContain('interrupt again to end at once');
    expect(signals.codes).toEqual([]);
    signals.emit('SIGINT');
    expect(signals.codes).toEqual([130]);
  });

  test('leaves no listener behind', () => {
    const signals = source();
    catchInterrupt({ write: () => true }, signals)[Symbol.dispose]();
    expect([signals.listenerCount('SIGINT'), signals.listenerCount('SIGTERM')]).toEqual([0, 0]);
  });
});
