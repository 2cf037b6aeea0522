/** What `npm run bench` was asked for. */
export interface Arguments {
  readonly names: readonly string[];
  readonly json: boolean;
  readonly quick: boolean;
  readonly writeDocs: boolean;
  /** Whether `torch.compile` runs beside eager PyTorch: it takes minutes to compile a network. */
  readonly compile: boolean;
  readonly threads: readonly number[];
}

const flags = ['--json', '--quick', '--write-docs', '--compile', '--threads 1', '--threads 2'] as const;

/**
 * @param known the benchmarks, which all run where none is named
 * @throws Error naming everything that is not known
 */
export function parseArguments(args: readonly string[], known: readonly string[]): Arguments {
  const names: string[] = [];
  const given = new Set<string>();
  const wrong: string[] = [];
  let threads: readonly number[] | null = null;
  for (let i = 0; i < args.length; i++) {
    const each = args[i] ?? '';
    if (each === '--threads') {
      const count = args[++i] ?? '';
      if (count === '1' || count === '2') threads = [Number(count)];
      else wrong.push(`--threads ${count}`.trim());
    } else if (flags.some((flag) => flag === each)) given.add(each);
    else if (known.includes(each)) names.push(each);
    else wrong.push(each);
  }
  if (wrong.length > 0) {
    throw new Error(
      `bench: expected names of ${known.join(', ')} and flags ${flags.join(', ')}, got ${wrong.join(', ')}`,
    );
  }
  return {
    names: names.length > 0 || given.has('--write-docs') ? names : known,
    json: given.has('--json'),
    quick: given.has('--quick'),
    writeDocs: given.has('--write-docs'),
    compile: given.has('--compile'),
    // A trial need not run everything twice.
    threads: threads ?? (given.has('--quick') ? [2] : [1, 2]),
  };
}
