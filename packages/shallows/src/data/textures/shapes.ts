/** A silhouette of about unit radius around the origin: its signed distance at a point, negative inside; y points down. */
export interface Shape {
  readonly name: string;
  readonly distance: (x: number, y: number) => number;
}

/** A regular polygon with its corners on the circle of the given radius: the farthest of its edges' half-planes. */
function polygon(corners: number, radius: number): (x: number, y: number) => number {
  const apothem = radius * Math.cos(Math.PI / corners);
  const normals = Array.from({ length: corners }, (_, i) => {
    const angle = (2 * Math.PI * i) / corners;
    return [Math.cos(angle), Math.sin(angle)] as const;
  });
  return (x, y) => {
    let farthest = Number.NEGATIVE_INFINITY;
    for (const [a, b] of normals) farthest = Math.max(farthest, a * x + b * y);
    return farthest - apothem;
  };
}

function disc(x: number, y: number, radius: number): number {
  return Math.sqrt(x * x + y * y) - radius;
}

function box(x: number, y: number, halfWidth: number, halfHeight: number): number {
  return Math.max(Math.abs(x) - halfWidth, Math.abs(y) - halfHeight);
}

/** A star folded into half a point: the distance to the line from its tip to the notch beside it. */
function star(points: number, notch: number): (x: number, y: number) => number {
  const half = Math.PI / points;
  const notchX = notch * Math.cos(half);
  const notchY = notch * Math.sin(half);
  const edge = Math.hypot(notchX - 1, notchY);
  const normalX = notchY / edge;
  const normalY = (1 - notchX) / edge;
  return (x, y) => {
    const turn = Math.atan2(y, x) / (2 * half);
    const folded = Math.abs(turn - Math.round(turn)) * 2 * half;
    const radius = Math.sqrt(x * x + y * y);
    return (radius * Math.cos(folded) - 1) * normalX + radius * Math.sin(folded) * normalY;
  };
}

function heart(x: number, y: number): number {
  const slanted = (Math.abs(x) + Math.abs(y - 0.12)) * Math.SQRT1_2 - 0.58;
  return Math.min(slanted, disc(Math.abs(x) - 0.41, y + 0.29, 0.58));
}

function arrow(x: number, y: number): number {
  const head = Math.max(0.05 - x, (x - 0.95 + Math.abs(y)) * Math.SQRT1_2);
  return Math.min(head, box(x + 0.4, y, 0.5, 0.3));
}

/** The ten classes, in the order of their labels. */
export const shapes: readonly Shape[] = [
  { name: 'disc', distance: (x, y) => disc(x, y, 0.88) },
  { name: 'ring', distance: (x, y) => Math.abs(disc(x, y, 0.72)) - 0.22 },
  { name: 'crescent', distance: (x, y) => Math.max(disc(x, y, 0.95), -disc(x - 0.5, y, 0.75)) },
  { name: 'triangle', distance: polygon(3, 1.1) },
  { name: 'square', distance: polygon(4, 1.05) },
  { name: 'hexagon', distance: polygon(6, 0.98) },
  { name: 'star', distance: star(5, 0.45) },
  { name: 'cross', distance: (x, y) => Math.min(box(x, y, 0.98, 0.3), box(x, y, 0.3, 0.98)) },
  { name: 'heart', distance: heart },
  { name: 'arrow', distance: arrow },
];
