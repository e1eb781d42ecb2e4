// Absurd: tasks of one or five steps; a step's result is recorded in a transaction of its own. Its schema is no
// package of the registry: ABSURD_SQL is the path of its absurd.sql; without it, it is not measured.
import { readFileSync } from 'node:fs';
import { Absurd } from 'absurd-sdk';
import pg from 'pg';

const concurrency = Number(process.env.PEER_CONCURRENCY ?? 20);
const quiet = { log() {}, info() {}, warn() {}, error() {} };

export default {
  async prepare({ db, connection }) {
    await db.query(readFileSync(process.env.ABSURD_SQL, 'utf8'));
    const app = new Absurd({ db: new pg.Pool(connection), queueName: 'bench', log: quiet });
    await app.createQueue('bench');
  },
  async queue({ connection, n, shape }) {
    const app = new Absurd({ db: new pg.Pool({ ...connection, max: 20 }), queueName: 'bench', log: quiet });
    let i = 0;
    await Promise.all(Array.from({ length: 20 }, async () => {
      while (i < n) await app.spawn('steps', { id: i++, steps: shape === 'five' ? 5 : 1 }, { queue: 'bench' });
    }));
  },
  async work({ connection, began, finished }) {
    const app = new Absurd({ db: new pg.Pool({ ...connection, max: concurrency + 2 }), queueName: 'bench', log: quiet });
    app.registerTask({ name: 'steps' }, async ({ id, steps }, ctx) => {
      began();
      for (let k = 0; k < steps; k++) await ctx.step(`step ${k}`, async () => ({ id, k }));
      finished();
      return { id };
    });
    await app.startWorker({ concurrency, batchSize: concurrency, pollInterval: 0.01 });
  },
  async isDone(db) {
    return !(await db.query(`SELECT FROM absurd.t_bench WHERE state NOT IN ('completed', 'failed', 'cancelled') LIMIT 1`)).rowCount;
  },
};
