// drive.mjs <peer> <one|five> <n> <workers>: n runs of one step, or of five, through a peer.
//
// All are queued first; then the workers, each a process of its own, begin. What is printed is one line:
// seconds of queueing them all, and seconds from the first step that began until the last run is recorded as done.
// So neither the start of a process nor its first connection counts. PEER_DATABASE is the database.
import { fork } from 'node:child_process';
import pg from 'pg';

const [peer, shape, count, processes] = process.argv.slice(2);
const n = Number(count);
const { default: Peer } = await import(`./${peer}.mjs`);
const connection = { host: process.env.PGHOST, port: Number(process.env.PGPORT), user: process.env.PGUSER, database: process.env.PEER_DATABASE };
const url = `postgresql://${connection.user}@localhost:${connection.port}/${connection.database}?host=${encodeURIComponent(connection.host)}`;

if (process.send) {
  let first = 0, done = 0, told = 0;
  const began = () => { first ||= performance.timeOrigin + performance.now(); };
  const tell = () => { if (done > told) { told = done; process.send({ first, done }); } };
  await Peer.work({ url, connection, shape, began, finished: (k = 1) => { done += k; } });
  setInterval(tell, 5);
} else {
  const db = new pg.Client(connection);
  await db.connect();
  await Peer.prepare?.({ url, connection, db, shape });
  const t0 = performance.now();
  await Peer.queue({ url, connection, db, shape, n });
  const queued = (performance.now() - t0) / 1000;
  await db.query('CHECKPOINT');
  let first = Infinity;
  const seen = [];
  const children = Array.from({ length: Number(processes) }, (_, i) => {
    const child = fork(process.argv[1], process.argv.slice(2), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    child.on('message', (m) => { seen[i] = m.done; first = Math.min(first, m.first); });
    child.on('exit', (code) => { if (!over) { console.error(`${peer}: a worker ended with ${code}`); process.exit(1); } });
    return child;
  });
  let over = false;
  const limit = performance.now() + 1000 * Number(process.env.PEER_LIMIT ?? 300);
  for (;;) {
    if (seen.reduce((a, b) => a + (b ?? 0), 0) >= n && await Peer.isDone(db)) break;
    if (performance.now() > limit) { console.error(`${peer}: not done in time`); process.exit(1); }
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
  const drained = (performance.timeOrigin + performance.now() - first) / 1000;
  over = true;
  for (const child of children) child.kill('SIGKILL');
  console.log(`${queued.toFixed(3)} ${drained.toFixed(3)}`);
  process.exit(0);
}
