/** Paired and alternating: in every round each subject runs once, so that a machine that changes its speed changes it for all. */
import type { Row } from './result.ts';
import type { Subject } from './subjects.ts';

export interface Rounds {
  readonly streams: number;
  readonly bytes: number;
  /** Rounds that count; one more before them warms up. */
  readonly alternations: number;
}

export async function alternate(
  subjects: readonly Subject[],
  { streams, bytes, alternations }: Rounds,
): Promise<Row[]> {
  const rows = subjects.flatMap(({ name, integrity }) =>
    (['write', 'restore'] as const).map(
      (direction): Row => ({ name, direction, streams, bytesPerStream: bytes, integrity, samples: [] }),
    ),
  );
  for (let round = 0; round <= alternations; round++) {
    // Forth and back, so that no subject always runs behind the same other one.
    const order = subjects.map((_, i) => (round % 2 === 0 ? i : subjects.length - 1 - i));
    for (const i of order) {
      const subject = subjects[i] as Subject;
      process.stderr.write(`\r${streams} streams, ${round}/${alternations}, ${subject.name.padEnd(32)}`);
      const written = await subject.write(streams, bytes);
      const restored = await subject.restore(streams, bytes);
      await subject.clean(streams);
      if (round === 0) continue;
      rows[2 * i]?.samples.push(written);
      rows[2 * i + 1]?.samples.push(restored);
    }
  }
  process.stderr.write('\r\x1b[K');
  return rows;
}
