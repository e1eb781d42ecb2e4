// graphile-worker with what its own performance test and docs/performance use: 24 jobs at once, a local queue of 500
// jobs that is filled again after 10 ms, completions in batches without delay. A job has no steps; five in a row are
// a job that adds its successor.
import { run, runMigrations } from 'graphile-worker';

const worker = {
  concurrentJobs: 24,
  maxPoolSize: 25,
  localQueue: { size: 500, refetchDelay: { durationMs: 10 } },
  completeJobBatchDelay: 0,
  failJobBatchDelay: 0,
};
const quiet = { log() {} };

export default {
  async prepare({ url }) {
    await runMigrations({ connectionString: url });
  },
  async queue({ db, n }) {
    for (let i = 0; i < n; i += 100000) {
      const jobs = [];
      for (let j = i; j < Math.min(n, i + 100000); j++) jobs.push({ identifier: 'step', payload: { id: j, k: 1 } });
      await db.query(`SELECT 1 FROM graphile_worker.add_jobs(array(SELECT json_populate_recordset(null::graphile_worker.job_spec, $1::json)))`,
        [JSON.stringify(jobs)]);
    }
  },
  async work({ url, shape, began, finished }) {
    const { Logger } = await import('graphile-worker');
    const last = shape === 'five' ? 5 : 1;
    await run({
      preset: { worker: { ...worker, connectionString: url, logger: new Logger(() => () => quiet.log()) } },
      taskList: {
        async step({ id, k }, helpers) {
          began();
          if (k < last) await helpers.addJob('step', { id, k: k + 1 });
          else finished();
        },
      },
    });
  },
  async isDone(db) {
    return !(await db.query('SELECT FROM graphile_worker._private_jobs LIMIT 1')).rowCount;
  },
};
