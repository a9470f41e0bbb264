/** All connections to one endpoint: kept alive, bounded, first come first served. It tries nothing again. */
import { type Answer, Connection, type ConnectionSettings, type Endpoint, type Exchange } from './connection.ts';
import { HttpFailure } from './failure.ts';

export type { Answer, Endpoint, Exchange } from './connection.ts';
export { HttpFailure } from './failure.ts';

export interface ClientSettings extends ConnectionSettings {
  /** Connections at once. */
  readonly connectionsMax: number;
  /** Exchanges that wait for one; more are refused. */
  readonly waitersMax: number;
}

export interface ClientStats {
  open: number;
  idle: number;
  /** Since the start. */
  opened: number;
  waiting: number;
}

export class HttpClient {
  readonly endpoint: Endpoint;
  readonly #settings: ClientSettings;
  /** The one used last is taken first: the others may end. */
  readonly #idle: Connection[] = [];
  readonly #waiters: PromiseWithResolvers<void>[] = [];
  readonly #standing = new Set<Connection>();
  #isClosed = false;
  #busy = 0;
  #opened = 0;

  constructor(endpoint: Endpoint, settings: ClientSettings) {
    this.endpoint = endpoint;
    this.#settings = settings;
  }

  get stats(): ClientStats {
    return {
      open: this.#busy + this.#idle.length,
      idle: this.#idle.length,
      opened: this.#opened,
      waiting: this.#waiters.length,
    };
  }

  /** Throws HttpFailure. */
  async request(exchange: Exchange): Promise<Answer> {
    await this.#turn();
    try {
      const connection = this.#take() ?? (await this.#open());
      try {
        return await connection.exchange(exchange);
      } finally {
        if (connection.usable) this.#idle.push(connection);
        else this.#standing.delete(connection);
      }
    } finally {
      this.#next();
    }
  }

  /** Ends all connections, what is under way on them too, and begins nothing any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#idle.length = 0;
    await Promise.all([...this.#standing].map((connection) => connection.close()));
    this.#standing.clear();
  }

  async #turn(): Promise<void> {
    if (this.#busy < this.#settings.connectionsMax) {
      this.#busy++;
      return;
    }
    if (this.#waiters.length >= this.#settings.waitersMax) {
      throw new HttpFailure('connect', 'EAGAIN', `${this.#settings.waitersMax} requests wait already`);
    }
    const waiter = Promise.withResolvers<void>();
    this.#waiters.push(waiter);
    await waiter.promise;
  }

  /** Hands the turn on, or gives it back. */
  #next(): void {
    const waiter = this.#waiters.shift();
    if (waiter === undefined) this.#busy--;
    else waiter.resolve();
  }

  #take(): Connection | undefined {
    for (let found = this.#idle.pop(); found !== undefined; found = this.#idle.pop()) {
      if (found.usable) return found;
      this.#standing.delete(found);
    }
    return undefined;
  }

  async #open(): Promise<Connection> {
    this.#demandOpen();
    const connection = await Connection.open(this.endpoint, this.#settings);
    this.#opened++;
    this.#standing.add(connection);
    if (this.#isClosed) await this.close();
    this.#demandOpen();
    return connection;
  }

  #demandOpen(): void {
    if (this.#isClosed) throw new HttpFailure('connect', 'EABORTED', 'the client is closed');
  }
}
