/** What one handle cost: sums for its summary line and for status. */
import type { LaneResult } from '../lanes/lane-order.ts';

export class Account {
  readonly since: number;
  bytes = 0;
  cpuNs = 0;
  deviceNs = 0;
  digestNs = 0;
  /** Requests over the network that were sent again, and pieces that were read again for their checksums' sake. */
  retries = 0;
  #failed = false;
  /** The plug-in's own account, from CLOSE. */
  hostWaitNs = 0;
  slotWaitNs = 0;
  copyNs = 0;
  /** Monotonic milliseconds of the last byte moved. */
  movedAt: number;

  constructor(now: number) {
    this.since = now;
    this.movedAt = now;
  }

  device(result: LaneResult): void {
    this.cpuNs += result.cpuNs;
    this.deviceNs += result.wallNs;
    this.retries += result.retries;
    if (result.result < 0) this.#failed = true;
  }
  digest(result: LaneResult): void {
    this.cpuNs += result.cpuNs;
    this.digestNs += result.wallNs;
  }
  moved(bytes: number, now: number): void {
    this.bytes += bytes;
    this.movedAt = now;
  }

  /** No order failed, not even once: nothing of this image's memory is left in the hands of the kernel. */
  get clean(): boolean {
    return !this.#failed && this.retries === 0;
  }

  /** One line's worth: bytes, seconds, GB/s, CPU-s/GB, waits in seconds. */
  summary(now: number): object {
    const seconds = Math.max(1e-6, (now - this.since) / 1000);
    const gigabytes = this.bytes / 1e9;
    const three = (value: number): number => Math.round(value * 1000) / 1000;
    return {
      bytes: this.bytes,
      seconds: three(seconds),
      gbPerS: three(gigabytes / seconds),
      cpuSPerGb: gigabytes > 0 ? three(this.cpuNs / 1e9 / gigabytes) : null,
      waits: {
        hostProgramS: three(this.hostWaitNs / 1e9),
        slotS: three(this.slotWaitNs / 1e9),
        digestS: three(this.digestNs / 1e9),
        deviceS: three(this.deviceNs / 1e9),
      },
      copyS: three(this.copyNs / 1e9),
      retries: this.retries,
    };
  }
}
