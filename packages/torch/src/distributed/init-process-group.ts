import { toTorchError } from '../errors.js';
import { native } from '../native.js';
import { localAddress } from './local-address.js';
import { nativeDistributed } from './native.js';
import { type Backend, checkedOptions, type ProcessGroupOptions } from './options.js';
import { ProcessGroup } from './process-group.js';

/**
 * Brings processes together: rank 0 opens a store (c10d's TCPStore) at `master`, all others come there, and each connects to
 * each. Resolves once all are there; the event loop goes on in the meantime.
 *
 * From then on a thread of each process tells the others that it is alive, so that an operation that fails can name the rank
 * that is gone. Gloo listens on the address from which this machine reaches `master`, or on the interfaces that
 * `GLOO_SOCKET_IFNAME` names.
 *
 * @throws TorchError for an option that is wrong, a libtorch without process groups, and for ranks that do not come in time
 */
export async function initProcessGroup(options: ProcessGroupOptions): Promise<ProcessGroup> {
  const distributed = nativeDistributed('initProcessGroup');
  const { rank, size, master, timeoutMs, backend, storeOutside, prefix } = checkedOptions(
    options,
    distributed.backends(),
  );
  const address = await localAddress(master.host, master.port);
  try {
    const handle = await distributed.connect({
      rank,
      size,
      host: master.host,
      port: master.port,
      outside: storeOutside,
      timeoutMs,
      address,
      prefix,
      backend,
    });
    return new ProcessGroup(handle, rank, size, backend);
  } catch (error) {
    throw toTorchError(error);
  }
}

/** What process groups of this libtorch can be made with; none where it was built without any. */
export function distributedBackends(): readonly Backend[] {
  const names = native().distributed?.backends() ?? [];
  return (['gloo', 'nccl'] as const).filter((backend) => names.includes(backend));
}
