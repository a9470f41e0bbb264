/** Streams of a random load: each a host program of its own that creates, writes, resumes, reads and deletes images. */
import type { HostScript } from '../../support/host-program.ts';
import { type ExpectedImage, expectedImage, expectWord, type Plan } from './expected-image.ts';
import { creation, deleting, ending, opening, type Step, writing } from './steps.ts';

export type Random = () => number;

const sizeMax = 6 << 20;
/** Images of a stream at most: a load that nobody ends does not fill the disk. */
const imagesMax = 200;

/** A call under way, and one that needs a connection of its own, after the engine's death. */
const engineGone: ReadonlySet<string> = new Set(['STS_ESOCKET', 'STS_ECONNECT']);

const sectors = (next: Random, bytesMax: number): number => 512 * (1 + Math.floor((next() * bytesMax) / 512));

function reading(image: ExpectedImage): Step[] {
  const [plan] = image.plans as [Plan];
  return [
    { line: `open_image v i ${image.lsu} ${image.name} ${image.date} 1` },
    {
      line: `read i 0 ${image.written} ${expectWord(plan, image.written)}`,
      demands: { match: true, got: image.written },
    },
    { line: 'close i 0' },
  ];
}

/** The life of one image, in steps that are drawn one after the other. */
function* life(image: ExpectedImage, next: Random): Generator<Step> {
  yield creation(image);
  const size = sectors(next, sizeMax);
  let at = 0;
  while (at < size) {
    const to = Math.min(size, at + sectors(next, next() < 0.3 ? 5 << 20 : 1 << 20));
    yield* writing(image, at, to);
    at = to;
    const dice = next();
    if (dice < 0.2) yield ending(image, 'flush i', at);
    if (dice > 0.85) {
      yield ending(image, 'close i 0', at);
      yield opening(image);
    }
  }
  yield ending(image, 'close i 1', size);
  if (next() < 0.6) yield* reading(image);
  if (next() < 0.4) yield deleting(image);
}

export interface StreamEnd {
  images: ExpectedImage[];
  /** What was wrong while it ran; the death of an engine or of itself is not. */
  problems: string[];
}

/** Runs until `stopped` or until engine or host program are gone. `answered` is told each answer. */
export async function stream(
  host: HostScript,
  lsu: string,
  tag: string,
  plan: Plan,
  next: Random,
  stopped: () => boolean,
  answered: () => void,
): Promise<StreamEnd> {
  const end: StreamEnd = { images: [], problems: [] };
  for (let n = 0; n < imagesMax; n++) {
    const image = expectedImage(lsu, `${tag}-${n}`, plan);
    end.images.push(image);
    for (const { line, before, after, demands } of life(image, next)) {
      if (stopped()) return end;
      before?.();
      const answer = await host.call(line).catch(() => null);
      if (answer === null || engineGone.has(answer.name)) return end;
      if (answer.status !== 0) end.problems.push(`${line}: ${answer.name}: ${answer.text}`);
      for (const [name, value] of Object.entries(demands ?? {})) {
        if (answer[name] !== value) end.problems.push(`${line}: ${name} is ${answer[name]}, not ${value}`);
      }
      if (end.problems.length > 0) return end;
      after?.();
      answered();
    }
  }
  return end;
}
