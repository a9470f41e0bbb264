/**
 * pages-main BYTES [small]: what it costs to make the pages of fresh arenas and to give them back, as the engine's lanes do both.
 * `small`: in pages of 4 KiB, as a client's own touch makes them. Arenas so small that whoever closes one gives its pages back itself. {"bytes", "seconds": to make, "free_seconds"}
 */
import { addon } from '../../native/addon/index.ts';

const arenaBytes = 4 << 20;
const count = Math.max(1, Math.floor(Number(process.argv[2] ?? 0) / arenaBytes));
const arenas = Array.from({ length: count }, () => addon.arenaOpen(arenaBytes));
if (process.argv[3] === 'small') addon.pretendKernel(true, true, false);
const begin = performance.now();
for (const arena of arenas) if (addon.arenaPopulate(arena, 0, arenaBytes) < 0) throw new Error('no memory');
const made = performance.now();
for (const arena of arenas) addon.arenaClose(arena);
const freed = performance.now();
const told = { bytes: count * arenaBytes, seconds: (made - begin) / 1000, free_seconds: (freed - made) / 1000 };
process.stdout.write(`${JSON.stringify(told)}\n`);
