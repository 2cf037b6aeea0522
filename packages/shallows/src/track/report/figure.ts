import { type Markish, type PlotOptions, plot } from '@observablehq/plot';
import { type Content, type Html, html, trusted } from './html.js';

/** An entry of a legend. */
export interface Key {
  readonly label: string;
  readonly colour: string;
  readonly shape?: 'line' | 'dashed' | 'dot' | 'ring' | 'band' | 'block';
}

/** The size of a drawing. Text keeps its size, so a phone gets its own drawing and not a shrunken one. */
export interface Canvas {
  readonly width: number;
  readonly narrow: boolean;
}

/** A picture with its title, legend and caption. */
export interface Figure {
  readonly id: string;
  readonly title: string;
  /** What the picture shows, for those who cannot see it. */
  readonly description: string;
  readonly legend?: readonly Key[];
  readonly caption?: Content;
  /** Takes the whole width of the page. */
  readonly full?: boolean;
  readonly height?: number;
  /** Null where there is nothing to draw yet. */
  readonly draw: ((canvas: Canvas) => PlotOptions & { readonly marks: readonly Markish[] }) | null;
  /** Said in place of the drawing. */
  readonly empty: string;
}

const WIDTH = { half: 500, full: 1060, narrow: 340 };

/** Draws a figure into markup, once for wide screens and paper, once for phones. */
export function figure(
  { id, title, description, legend = [], caption, full = false, height = 280, draw, empty }: Figure,
  document: Document,
): Html {
  const svg = (canvas: Canvas): Html => {
    const options = draw?.(canvas);
    if (options === undefined) return html``;
    const element = plot({
      height: canvas.narrow ? Math.min(height, 260) : height,
      marginTop: 30,
      marginBottom: 40,
      marginRight: 14,
      style: { fontSize: '12px', fontFamily: 'inherit', overflow: 'visible' },
      ...options,
      marks: [...options.marks],
      width: canvas.width,
      document,
      className: 'plot',
      ariaLabel: `${title}: ${description}`,
    });
    // The page's own style sheet says it once for all plots.
    element.querySelector('style')?.remove();
    element.classList.add(canvas.narrow ? 'narrow' : 'wide');
    element.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
    element.setAttribute('role', 'img');
    return trusted(element.outerHTML);
  };
  const drawing =
    draw === null
      ? html`<p class="empty">${empty}</p>`
      : [svg({ width: full ? WIDTH.full : WIDTH.half, narrow: false }), svg({ width: WIDTH.narrow, narrow: true })];
  return html`<figure id="${id}" class="card${full ? ' full' : ''}">
<h3>${title}</h3>
${draw !== null && legend.length > 0 && html`<ul class="legend">${legend.map(legendItem)}</ul>`}
${drawing}
${draw !== null && caption && html`<figcaption>${caption}</figcaption>`}
</figure>
`;
}

function legendItem({ label, colour, shape = 'line' }: Key): Html {
  return html`<li><i class="key ${shape}" style="color:${colour}"></i>${label}</li>`;
}
