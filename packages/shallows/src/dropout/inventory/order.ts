import { drawId } from './hidden-draws.js';
import type { Looks } from './look.js';
import type { Observation } from './observe.js';

/** All random places of a model by {@link placeId} or `drawId`, in the order in which its forward passes come to them. */
export function orderOf(looks: Looks): readonly string[] {
  const order = sequenceOf(looks['monte-carlo']);
  for (const mode of ['training', 'evaluation'] as const) {
    let at = 0;
    for (const id of sequenceOf(looks[mode])) {
      const known = order.indexOf(id);
      // What only this pass came to stands behind what it came to before that.
      if (known < 0) order.splice(at, 0, id);
      at = (known < 0 ? at : known) + 1;
    }
  }
  return order;
}

/** What names a place with a name among all of a model. */
export function placeId(name: string): string {
  return JSON.stringify(['place', name]);
}

function sequenceOf({ asked, branches, modules, draws }: Observation): string[] {
  const events = [
    ...asked.map(({ name, at }) => ({ id: placeId(name), at, depth: 1 })),
    ...branches.map(({ site, from }) => ({ id: placeId(site), at: from, depth: 0 })),
    ...modules.map(({ path, from }) => ({ id: placeId(path), at: from, depth: 1 })),
    ...draws.map((draw) => ({ id: drawId(draw), at: draw.at - 1, depth: 2 })),
  ];
  return [...new Set(events.toSorted((a, b) => a.at - b.at || a.depth - b.depth).map(({ id }) => id))];
}
