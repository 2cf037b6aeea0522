import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';

/**
 * The address of this machine from which `host` is reached, which is one that the others reach it by: `127.0.0.1` for a host
 * that is this machine's loopback. Empty where there is no way to `host`. Nothing is sent.
 */
export function localAddress(host: string, port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
    const finish = (address: string): void => {
      socket.close();
      resolve(address);
    };
    socket.once('error', () => finish(''));
    socket.connect(port, host, () => finish(socket.address().address));
  });
}
