export { type InventoryOptions, inventory, stochasticityOf } from './inventory.js';
export type { HiddenDraw, Inventory, StochasticSite, VarianceShift } from './inventory-types.js';
export type { Example } from './look.js';
export { type ChangedRate, type RateChange, setRates, withoutDropout } from './set-rates.js';
