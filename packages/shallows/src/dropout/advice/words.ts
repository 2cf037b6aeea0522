/** Names, the first few of them. */
export function some(names: readonly string[]): string {
  const shown = names.slice(0, 3).join(', ');
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown;
}

/** `drops` for one, `drop` for several. */
export function verb(names: readonly unknown[], one: string, several: string): string {
  return names.length === 1 ? one : several;
}

/** A number without its last roundings. */
export function round(value: number): string {
  return String(Number(value.toPrecision(3)));
}
