// The page's own custom properties are also the colours of the plots, so one drawing serves light, dark and paper.

const light = `
  --paper: #f6f7f9; --card: #ffffff; --ink: #171a1f; --muted: #626a76; --line: #e4e7ec; --line-strong: #b9c0ca; --on-bar: #ffffff; --shade: #f0f3f7;
  --bad: #c8283a; --warn-ink: #7a4a00; --warn: #fff4de; --good: #14784a;
  --run-0: #1f63d8; --run-1: #d9601f; --run-2: #128668; --run-3: #8446cf; --run-4: #c02f74; --run-5: #0b83a0; --run-6: #857208; --run-7: #5d6673;`;

const dark = `
  --paper: #0e1116; --card: #161b22; --ink: #e8ebf0; --muted: #98a2b0; --line: #2a313b; --line-strong: #4a5462; --on-bar: #0e1116; --shade: #1d242d;
  --bad: #ff7480; --warn-ink: #ffd591; --warn: #33270f; --good: #5fd39b;
  --run-0: #6aa6ff; --run-1: #ff9659; --run-2: #46cba6; --run-3: #bd8dff; --run-4: #ff7fb4; --run-5: #56c8e3; --run-6: #d8c24a; --run-7: #a9b3c1;`;

/** The style of the whole page. */
export const styleSheet = `
:root { color-scheme: light dark;${light} }
@media (prefers-color-scheme: dark) { :root {${dark} } }
@media print { :root { color-scheme: light;${light} --paper: #ffffff; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", Arial, sans-serif; -webkit-text-size-adjust: 100%; }
main { max-width: 1150px; margin: 0 auto; padding: 36px 24px 48px; }
h1 { margin: 0; font-size: 30px; line-height: 1.2; letter-spacing: -0.02em; overflow-wrap: anywhere; }
h2 { margin: 38px 0 14px; font-size: 19px; letter-spacing: -0.01em; }
figcaption .line { display: block; }
.notice::first-letter, figcaption::first-letter, figcaption .line::first-letter { text-transform: uppercase; }
h3 { margin: 0 0 6px; font-size: 14px; font-weight: 600; }
.meta { margin: 6px 0 0; color: var(--muted); font-size: 14px; }
.summary { margin: 20px 0 0; max-width: 60em; font-size: 19px; line-height: 1.45; text-wrap: pretty; overflow-wrap: anywhere; }
.notice { margin: 12px 0 0; padding: 8px 14px; border-radius: 8px; background: var(--warn); color: var(--warn-ink); font-size: 14px; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 18px 20px; }
.grid { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 16px; }
.halves { align-items: start; column-gap: 56px; }
.full { grid-column: 1 / -1; }
figure { margin: 0; display: flex; flex-direction: column; }
figcaption { margin-top: auto; padding-top: 8px; color: var(--muted); font-size: 13px; line-height: 1.4; }
.plot { display: block; width: 100%; height: auto; color: var(--ink); --plot-background: var(--card); }
.plot text { white-space: pre; font-variant-numeric: tabular-nums; }
.plot.narrow { display: none; }
.empty { display: grid; place-items: center; flex: 1; min-height: 150px; margin: 6px 0 0; padding: 16px; border-radius: 8px; background: var(--shade); color: var(--muted); text-align: center; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 16px; margin: 0 0 4px; padding: 0; list-style: none; color: var(--muted); font-size: 13px; }
.key { display: inline-block; width: 18px; height: 0; margin-right: 7px; vertical-align: middle; border-top: 2.5px solid currentColor; }
.key.dashed { border-top-style: dashed; border-top-width: 2px; }
.key.dot { width: 9px; height: 9px; border: 0; border-radius: 50%; background: currentColor; position: relative; top: -1px; }
.key.ring { width: 9px; height: 9px; border: 2px solid currentColor; border-radius: 50%; position: relative; top: -1px; }
.key.band, .key.block { height: 10px; border: 0; border-radius: 2px; background: currentColor; }
.key.band { opacity: 0.35; }
.tiles { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 16px; margin-top: 26px; }
.tile h3 { color: var(--muted); font-weight: 500; font-size: 13px; }
.tile dl { margin: 0; display: grid; gap: 4px; }
.tile dl > div { display: grid; grid-template-columns: minmax(0, 1fr) auto; align-items: baseline; gap: 0 10px; }
.tile dt.hidden + dd { grid-column: 1 / -1; }
.tile dt { color: var(--muted); font-size: 13px; overflow-wrap: anywhere; }
.tile dt.hidden { display: none; }
.tile dd small { display: block; font-size: 12.5px; font-weight: 400; letter-spacing: 0; color: var(--muted); white-space: normal; }
.tile dl > div:has(dt:not(.hidden)) dd { text-align: right; }
.tile dd { margin: 0; font-size: 20px; font-weight: 600; letter-spacing: -0.02em; font-variant-numeric: tabular-nums; white-space: nowrap; }
.scroll { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { padding: 6px 12px 6px 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: baseline; }
tbody tr:last-child > * { border-bottom: 0; }
thead th { font-size: 13px; color: var(--muted); font-weight: 600; }
tbody th { font-weight: 400; color: var(--muted); }
th small, td small { font-size: 12px; color: var(--muted); white-space: nowrap; }
.headline td, .headline thead th, .sites td, .sites thead th + th { text-align: right; padding-right: 0; padding-left: 20px; }
.headline .delta { color: var(--muted); }
.facts { table-layout: fixed; }
.facts th[scope=row], .facts thead th:first-child { width: 220px; }
.facts td { overflow-wrap: anywhere; }
.facts tbody th { overflow-wrap: break-word; }
.facts th, .facts td { padding-left: 8px; }
.facts .differs > * { background: var(--shade); color: var(--ink); }
.pill { display: inline-block; padding: 0 9px; border-radius: 99px; background: var(--shade); font-size: 13px; }
.pill.done { color: var(--good); }
.pill.failed { color: var(--bad); }
.pill.alert { color: var(--bad); }
.pill.warn, .pill.stopped, .pill.interrupted, .pill.running { color: var(--warn-ink); background: var(--warn); }
details.card { margin-top: 16px; }
summary { cursor: pointer; font-weight: 600; font-size: 14px; }
details[open] summary { margin-bottom: 10px; }
code { font: 13px ui-monospace, SFMono-Regular, Menlo, "DejaVu Sans Mono", monospace; }
tr.alarm > * { color: var(--bad); }
.uncertain { display: grid; grid-template-columns: repeat(auto-fill, minmax(110px, 1fr)); gap: 14px; margin: 6px 0 0; padding: 0; list-style: none; font-size: 13px; }
.uncertain li { display: flex; flex-direction: column; overflow-wrap: anywhere; }
.uncertain img { width: 100%; max-width: 110px; aspect-ratio: 1; object-fit: contain; image-rendering: pixelated; border-radius: 6px; background: var(--shade); margin-bottom: 4px; }
.uncertain b { font-weight: 600; }
.uncertain span { color: var(--good); }
.uncertain .wrong { color: var(--bad); }
.uncertain small { color: var(--muted); }
footer { margin-top: 36px; color: var(--muted); font-size: 13px; }
@media (max-width: 780px) {
  main { padding: 24px 14px 36px; }
  h1 { font-size: 25px; }
  .summary { font-size: 17px; }
  .grid { grid-template-columns: minmax(0, 1fr); gap: 12px; }
  .tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 10px; margin-top: 20px; }
  .tile dl > div { display: block; }
  .tile dd { font-size: 18px; }
  .tile dl > div:has(dt:not(.hidden)) dd { text-align: left; }
  .card { padding: 14px; border-radius: 10px; }
  .headline td, .headline thead th, .sites td, .sites thead th + th { padding-left: 12px; }
  .facts th[scope=row], .facts thead th:first-child { width: 38%; }
  .headline small { display: block; }
  .headline th small { white-space: normal; }
  .halves .headline { table-layout: auto; }
  .halves { gap: 0; }
  .halves table + table { border-top: 1px solid var(--line); }
}
@media (max-width: 560px) {
  .headline { font-size: 12.5px; }
  .headline td, .headline thead th { padding-left: 8px; }
  .headline td { white-space: nowrap; }
  .headline tbody th { padding-right: 0; }
  .headline thead th { font-size: 12px; }
  .plot.wide { display: none; }
  .plot.narrow { display: block; }
}
@media print {
  body { font-size: 11pt; }
  main { max-width: none; padding: 0; }
  .card { break-inside: avoid; }
  .sites, .card:has(.facts) { break-inside: auto; }
  h2 { break-after: avoid; }
  .plot.wide { display: block; }
  .plot.narrow { display: none; }
  .grid { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  details::details-content { content-visibility: visible; height: auto; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`;
