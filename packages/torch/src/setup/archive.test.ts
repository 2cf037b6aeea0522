import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FakeMachine } from '../../../../tests/support/fake-machine.js';
import { zip } from '../../../../tests/support/zip-writer.js';
import { archivedLibtorch } from './archive.js';

let machine: FakeMachine;
beforeEach(() => {
  machine = new FakeMachine();
});
afterEach(() => machine.remove());

const archive = (version = '2.13.0+cpu'): Buffer =>
  zip({
    'libtorch/build-version': `${version}\n`,
    'libtorch/include/ATen/ATen.h': '',
    'libtorch/lib/libc10.so': '__cxx11',
    'libtorch/lib/libtorch_cpu.so': '',
    'libtorch/lib/libtorch_python.so': '',
    'libtorch/share/cmake/Torch.cmake': '',
  });

test('a file is unpacked once, and again when it is another', async () => {
  const path = machine.path('libtorch.zip');
  writeFileSync(path, archive());
  const first = await archivedLibtorch(path, machine.context());
  expect(first).toMatchObject({ source: 'LIBTORCH_ARCHIVE', version: '2.13.0+cpu' });
  expect(machine.lines).toEqual([`unpacking ${path}`]);
  expect(await archivedLibtorch(path, machine.context())).toEqual(first);
  expect(machine.lines).toHaveLength(1);

  writeFileSync(path, archive('2.12.1'));
  expect(await archivedLibtorch(path, machine.context())).toMatchObject({ version: '2.12.1' });
});

test('a URL is fetched once', async () => {
  let requests = 0;
  const server = createServer((request, response) => {
    requests++;
    if (request.url === '/libtorch.zip') response.end(archive());
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    const found = await archivedLibtorch(`${url}/libtorch.zip`, machine.context());
    expect(readFileSync(`${found.lib}/libc10.so`, 'utf8')).toBe('__cxx11');
    expect(await archivedLibtorch(`${url}/libtorch.zip`, machine.context())).toEqual(found);
    expect(requests).toBe(1);
    await expect(archivedLibtorch(`${url}/other.zip`, machine.context())).rejects.toThrow(
      `cannot download ${url}/other.zip (HTTP 404)`,
    );
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test('what is no libtorch is named', async () => {
  await expect(archivedLibtorch(machine.path('none.zip'), machine.context())).rejects.toThrow('which does not exist');
  writeFileSync(machine.path('other.zip'), zip({ 'readme.txt': 'hello' }));
  await expect(archivedLibtorch(machine.path('other.zip'), machine.context())).rejects.toThrow(
    '(no lib/libtorch_cpu.so)',
  );
});
