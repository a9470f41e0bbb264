/**
 * A network of its own for the null server: a network namespace behind a pair of virtual interfaces, on which the kernel's
 * token bucket makes any rate. Nothing else of the machine's network is touched; everything goes with the namespace.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { type BareServer, startBareServer } from '../s3/servers.ts';

/** From the block that RFC 2544 keeps for measuring: no network has it. */
const here = '198.18.77.1';
const there = '198.18.77.2';
/** A bucket must hold what passes in the time that the kernel's timer may be late. */
const burstSeconds = 0.002;

const namespaceOf = (pid: number): string => `vast-ost-limits-${pid}`;
const namespace = namespaceOf(process.pid);

function run(command: string, ...args: string[]): string | null {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  return status === 0 ? null : `${command} ${args.join(' ')}: ${error?.message ?? stderr.trim()}`;
}
function must(command: string, ...args: string[]): void {
  const problem = run(command, ...args);
  if (problem !== null) throw new Error(problem);
}

export class Network implements Disposable {
  readonly #name: string;
  readonly #near: string;
  readonly #far: string;

  private constructor() {
    this.#name = namespace;
    this.#near = `vl${process.pid}a`;
    this.#far = `vl${process.pid}b`;
  }

  /** Throws where the kernel or this user cannot: not root, no namespaces, no token bucket. */
  static open(): Network {
    // The same addresses twice would lead this run's bytes to another run's server.
    const { stdout } = spawnSync('ip', ['-o', 'address', 'show', 'to', `${here}/30`], { encoding: 'utf8' });
    if ((stdout ?? '').trim() !== '')
      throw new Error(
        `${here} is in use: another run of limits, or what a killed one left: clean its directory, or see: ip netns list`,
      );
    const network = new Network();
    try {
      network.#build();
      const problem = network.#limit(1e9);
      if (problem !== null) throw new Error(problem);
      network.#unlimit();
    } catch (error) {
      network[Symbol.dispose]();
      throw error;
    }
    return network;
  }

  server(keep: boolean): Promise<BareServer> {
    return startBareServer(keep, { namespace: this.#name, address: there });
  }

  #build(): void {
    must('ip', 'netns', 'add', this.#name);
    must('ip', 'link', 'add', this.#near, 'type', 'veth', 'peer', 'name', this.#far);
    must('ip', 'link', 'set', this.#far, 'netns', this.#name);
    must('ip', 'addr', 'add', `${here}/30`, 'dev', this.#near);
    must('ip', 'link', 'set', this.#near, 'up');
    must('ip', '-n', this.#name, 'addr', 'add', `${there}/30`, 'dev', this.#far);
    must('ip', '-n', this.#name, 'link', 'set', this.#far, 'up');
    must('ip', '-n', this.#name, 'link', 'set', 'lo', 'up');
  }

  #limit(bytesPerSecond: number): string | null {
    const bucket = [
      'root',
      'tbf',
      'rate',
      `${Math.floor(bytesPerSecond * 8)}bit`,
      'burst',
      String(Math.max(128 << 10, Math.floor(bytesPerSecond * burstSeconds))),
      'latency',
      '50ms',
    ];
    return (
      run('tc', 'qdisc', 'add', 'dev', this.#near, ...bucket) ??
      run('tc', '-n', this.#name, 'qdisc', 'add', 'dev', this.#far, ...bucket)
    );
  }

  #unlimit(): void {
    must('tc', 'qdisc', 'del', 'dev', this.#near, 'root');
    must('tc', '-n', this.#name, 'qdisc', 'del', 'dev', this.#far, 'root');
  }

  /** Both ways. */
  async slow(bytesPerSecond: number): Promise<AsyncDisposable> {
    const problem = this.#limit(bytesPerSecond);
    if (problem !== null) throw new Error(problem);
    return { [Symbol.asyncDispose]: async () => this.#unlimit() };
  }

  [Symbol.dispose](): void {
    // The namespace goes when its last process has; its interface, and with it the pair, goes now.
    run('ip', 'link', 'del', this.#near);
    run('ip', 'netns', 'del', this.#name);
  }
}

/** For who ends without having removed it. */
export function leftOfNetwork(): string | null {
  return existsSync(`/run/netns/${namespace}`) ? `left: network namespace; remove it: ip netns del ${namespace}` : null;
}

/** What a run left that was killed, when its processes have ended. */
export function removeNetworkOf(pid: number): void {
  const name = namespaceOf(pid);
  if (existsSync(`/run/netns/${name}`)) must('ip', 'netns', 'del', name);
}
