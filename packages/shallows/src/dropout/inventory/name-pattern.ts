/**
 * Whether a pattern names a place: itself, or all that is under it. `*` stands for any characters within one part of a path,
 * `**` for any number of parts: `blocks.*.mlp`, `**.attention`.
 */
export function matches(pattern: string, name: string): boolean {
  const expression = pattern
    .split('.')
    .map((part) => (part === '**' ? '.*' : part.replace(/[\\^$+?.()|[\]{}]/g, '\\$&').replaceAll('*', '[^.]*')))
    .join('\\.')
    .replaceAll('.*\\.', '(?:.*\\.)?');
  return new RegExp(`^${expression}(?:\\..*)?$`).test(name);
}
