/** Logs a lot and kills itself at once, as the engine does at the end of a drain ("flush") and at a bug ("direct"). */
import { openLog } from '../../engine/admin/log.ts';

const [, , how, file] = process.argv as [string, string, string, string];
const log = openLog({ level: 'INFO', file });
if (how === 'direct') log.direct();
for (let i = 0; i < 1000; i++) log.root.info({ i }, 'x'.repeat(200));
if (how === 'flush') await log.flush();
process.kill(process.pid, 'SIGKILL');
