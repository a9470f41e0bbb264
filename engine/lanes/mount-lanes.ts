/** A pool of payload lanes as one mount uses it: what hangs there holds up that mount's orders, and no other's. */
import type { LaneOrder, LaneResult } from './lane-order.ts';
import type { Pool } from './pool.ts';

export interface PayloadLanes {
  /** One order; failures are negative results. Orders of one `key` (a handle) stay in order, keys take turns. */
  run(order: LaneOrder, key: number): Promise<LaneResult>;
}

export class MountLanes implements PayloadLanes {
  readonly #pool: Pool;
  readonly #mount: number;

  constructor(pool: Pool, mount: number) {
    this.#pool = pool;
    this.#mount = mount;
  }

  run(order: LaneOrder, key: number): Promise<LaneResult> {
    return this.#pool.run(order, this.#mount, key);
  }
}
