import { shown } from '../errors.js';

/** A value as a recipe's error message shows it. */
export function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'an empty value';
  if (typeof value === 'object' && !Array.isArray(value)) return 'a section';
  return shown(value);
}

/** A text cut to 60 characters, on one line, without control characters or quotes around it. */
export function oneLine(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text).slice(1, -1);
}
