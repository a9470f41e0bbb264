/** Logs a lot and kills itself right after the flush, as the engine does at the end of a drain. */
import { openLog } from '../../engine/admin/log.ts';

const log = openLog({ level: 'INFO', file: process.argv[2] as string });
for (let i = 0; i < 1000; i++) log.root.info({ i }, 'x'.repeat(200));
await log.flush();
process.kill(process.pid, 'SIGKILL');
