/** The coordinator: wires pools, storage, memory and sessions together, and winds them down. */
import { randomBytes } from 'node:crypto';
import { addon } from '../../native/addon/index.ts';
import type { EngineLog } from '../admin/log.ts';
import type { Config } from '../config.ts';
import { Failed } from '../core/errors.ts';
import { FrameError } from '../core/layout.ts';
import type { S3Settings } from '../core/s3-settings.ts';
import { wire } from '../core/wire.ts';
import { processAlive, readIdentity } from '../image/claim.ts';
import type { Link, LinkEvents } from '../intake/link.ts';
import { MountLanes } from '../lanes/mount-lanes.ts';
import { Pool, type PoolOptions } from '../lanes/pool.ts';
import { Budget } from '../transfer/budget.ts';
import { Load } from './account.ts';
import { buildServers } from './build-servers.ts';
import type { Shared } from './context.ts';
import { FinishedJobs } from './finished-jobs.ts';
import { Janitor } from './janitor.ts';
import { Memory } from './memory.ts';
import { newToken } from './new-token.ts';
import { poolsOf, StorageServers, serverLabel } from './servers.ts';
import { Session, type SessionHost } from './session.ts';
import { statusReport, statusText } from './status-report.ts';
import { WriterTokens } from './writer-tokens.ts';

const probeMs = 5_000;
/** How long the start waits for the storage. */
const firstLookMs = 3_000;
/** A call that is answered sooner needs no word in between. */
const quietMs = 1000;
/** Digests go behind everything else on a busy machine: late sums hold up a slot, late writes hold up the device. */
const digestNiceness = 5;
/** Orders of one bucket under way at once. A lane of an event loop costs its area, and that only once it is used. */
const netLanes = 64;

export class Engine implements LinkEvents, SessionHost {
  readonly shared: Shared;
  readonly servers: StorageServers;
  readonly instance = randomBytes(wire.tokenBytes);
  readonly config: Config;
  readonly version: string;
  readonly sessions = new Map<Link, Session>();
  readonly io: Pool;
  readonly digest: Pool;
  readonly #log: EngineLog;
  readonly #janitors: readonly Janitor[];
  readonly #timers: NodeJS.Timeout[] = [];
  #ending = new Set<Promise<void>>();
  #draining = false;
  bugs = 0;

  /** `lanePath`: another entry for the lanes' threads, which the bench has; no configuration leads there. */
  constructor(config: Config, engineLog: EngineLog, engineVersion: string, lanePath?: string) {
    this.config = config;
    this.version = engineVersion;
    this.#log = engineLog;
    const log = engineLog.root;
    const now = (): number => performance.now();
    const { engine, performance: speed } = config;
    const pool = (
      kind: PoolOptions['kind'],
      lanesMax: number,
      more: Partial<PoolOptions> & { server?: string } = {},
    ) => {
      const { server, ...options } = more;
      const where = server === undefined ? { kind } : { kind, server };
      return new Pool({
        kind,
        lanesMax,
        overdueMs: engine.laneOverdueS * 1000,
        niceness: 0,
        storeKind: 'file',
        now,
        lanePath,
        onLost: () => log.error(where, 'a lane is overdue: the storage does not answer; it is replaced'),
        onDied: (error) => log.error({ ...where, problem: String(error) }, 'a lane died; it is replaced'),
        ...options,
      });
    };
    const budget = new Budget({ totalBytes: engine.maxMemoryBytes, clock: now, waitMs: engine.arenaWaitS * 1000 });
    this.io = pool('io', speed.threadPoolSize, { perMountMax: engine.ioLanesPerMount });
    this.digest = pool('digest', engine.digestLanes, { niceness: digestNiceness });
    this.shared = {
      digest: new MountLanes(this.digest, 0),
      memory: new Memory(budget, engine.arenaWaitS, now),
      tokens: new WriterTokens(),
      load: new Load(engine.digestLanes, addon.copyRate()),
      finished: new FinishedJobs(),
      self: readIdentity(),
      log,
      now,
      newToken,
      bug: (where, error) => {
        this.bugs++;
        log.error({ where, err: error }, 'internal error');
      },
    };
    const parts = {
      config,
      shared: this.shared,
      engineVersion,
      io: this.io,
      metaPool: (storeKind: 'file' | 'memory', server: string) => pool('meta', engine.metaLanes, { storeKind, server }),
      netPool: (s3: S3Settings, overdueMs: number, server: string, onBucket: PoolOptions['onBucket']) =>
        pool('net', netLanes, { storeKind: 's3', s3, overdueMs, server, onBucket }),
    };
    this.servers = new StorageServers(buildServers(parts), log);
    this.#janitors = this.servers.all.map(({ ctx }) => new Janitor(ctx, this.alive));
  }

  /** Looks at the storage, starts the clocks. The engine serves before the storage is there: calls then say so. */
  async start(): Promise<void> {
    const beat = setInterval(() => this.#beat(), (wire.stillWorkingS * 1000) / 2);
    const look = () => this.servers.all.flatMap(({ mounts }) => mounts.all.map(({ storage }) => storage.probe()));
    const probe = setInterval(() => void look(), probeMs);
    this.#timers.push(beat, probe);
    this.#warn();
    // A mount that does not answer keeps neither the clocks nor the engine's word that it serves from coming.
    let late: NodeJS.Timeout | undefined;
    const patience = new Promise<void>((resolve) => {
      late = setTimeout(resolve, firstLookMs);
    });
    await Promise.race([Promise.all(look()), patience]);
    clearTimeout(late);
    if (!this.#draining) for (const janitor of this.#janitors) janitor.start();
  }

  /** What an administrator switched off and should not forget. */
  #warn(): void {
    for (const { name, config } of this.servers.all) {
      if (config?.store === 's3' && !config.tlsVerify)
        this.shared.log.warn(
          { server: serverLabel(name) },
          'tls_verify = false: whoever is between here and the endpoints can read and change everything',
        );
    }
  }

  alive(pid: number, startTime: number): boolean {
    return processAlive(pid, startTime);
  }

  admit(): string | null {
    if (this.#draining) return 'the engine is stopping';
    const { handlesMax } = this.config.engine;
    let open = 0;
    for (const session of this.sessions.values()) if (session.greeted) open++;
    if (open < handlesMax) return null;
    return `${handlesMax} handles are open: raise [engine] handles_max, or run fewer jobs at once`;
  }

  get draining(): boolean {
    return this.#draining;
  }

  statusJson(): string {
    const { dropped, failure } = this.#log;
    return statusText(statusReport(this, { dropped, failure }));
  }

  // --- connections ----------------------------------------------------------------------------------------------------

  request(link: Link, request: Parameters<LinkEvents['request']>[1]): void {
    let session = this.sessions.get(link);
    if (session === undefined) {
      session = new Session(this, link);
      this.sessions.set(link, session);
    }
    try {
      session.take(request);
    } catch (error) {
      if (error instanceof FrameError) throw error;
      this.shared.bug(`frame ${request.type}`, error);
      link.end('internal error');
    }
  }

  ended(link: Link, why: string): void {
    const session = this.sessions.get(link);
    if (session === undefined) {
      if (!this.#draining)
        this.shared.log.debug({ why, pid: link.peer.pid }, 'a connection ended before its first frame');
      return;
    }
    const ending = session
      .end(why)
      .catch((error) => {
        if (!(error instanceof Failed)) this.shared.bug('end of a connection', error);
      })
      .finally(() => {
        this.sessions.delete(link);
        this.#ending.delete(ending);
      });
    this.#ending.add(ending);
  }

  /** Tells every client with a long call under way that it is not forgotten. */
  #beat(): void {
    const now = performance.now();
    for (const [link, session] of this.sessions) {
      const age = link.callAge(now);
      // A writer waits for credits without a call: while blocks of its are under way the engine owes it some.
      if ((age !== null && age > quietMs) || session.writer?.owes) link.stillWorking();
    }
  }

  /**
   * Ends all connections, lets what is under way end, stops the lanes. False: something hangs in a system call, and the
   * process can only be killed.
   */
  async stop(deadlineMs: number): Promise<boolean> {
    this.#draining = true;
    const until = performance.now() + deadlineMs;
    const left = (): number => Math.max(1, until - performance.now());
    for (const timer of this.#timers) clearInterval(timer);
    for (const link of [...this.sessions.keys()]) link.end('the engine stops');
    const quiet = Promise.all([...this.#ending, ...this.#janitors.map((janitor) => janitor.stop())]).then(() => true);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), left());
    });
    const drained = await Promise.race([quiet, late]);
    clearTimeout(timer);
    this.shared.memory.close();
    const pools = [this.io, this.digest, ...this.servers.all.flatMap(poolsOf)];
    const stopped = await Promise.all(pools.map((pool) => pool.stop(left())));
    return drained && stopped.every(Boolean);
  }
}
