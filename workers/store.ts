/** The store contract, as the stores see it: engine/core/store.ts, on which both sides of the rings rest. */
export * from '../engine/core/store.ts';
