export { advisePlacement, type PlacementFacts, placementCodes } from './advise-placement.js';
