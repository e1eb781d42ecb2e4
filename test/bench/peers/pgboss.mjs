// pg-boss: jobs fetched and completed in batches, as fast as they come (burstWhenBatchFull), by several workers in a
// process. A job has no steps; five in a row are jobs that insert their successors, a batch at a time.
import { PgBoss } from 'pg-boss';

const work = { batchSize: 500, localConcurrency: 2, pollingIntervalSeconds: 0.5, burstWhenBatchFull: true };

async function open(url) {
  const boss = new PgBoss({ connectionString: url, max: 10 });
  boss.on('error', (e) => console.error(e));
  await boss.start();
  return boss;
}

export default {
  async queue({ url, n }) {
    const boss = await open(url);
    await boss.createQueue('step', { notify: true }).catch(() => boss.createQueue('step'));
    for (let i = 0; i < n; i += 10000) {
      const jobs = [];
      for (let j = i; j < Math.min(n, i + 10000); j++) jobs.push({ name: 'step', data: { id: j, k: 1 } });
      await boss.insert('step', jobs);
    }
    await boss.stop({ graceful: false });
  },
  async work({ url, shape, began, finished }) {
    const last = shape === 'five' ? 5 : 1;
    const boss = await open(url);
    await boss.work('step', work, async (jobs) => {
      began();
      const next = jobs.filter((j) => j.data.k < last).map((j) => ({ name: 'step', data: { id: j.data.id, k: j.data.k + 1 } }));
      if (next.length) await boss.insert('step', next);
      finished(jobs.length - next.length);
    });
  },
  async isDone(db) {
    return !(await db.query(`SELECT FROM pgboss.job WHERE state < 'completed' LIMIT 1`)).rowCount;
  },
};
