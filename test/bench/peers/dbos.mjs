// DBOS Transact: workflows of one or five steps in a queue. A step's result is recorded in a transaction of its own.
import { DBOS, DBOSClient } from '@dbos-inc/dbos-sdk';

const concurrency = Number(process.env.PEER_CONCURRENCY ?? 50);

export default {
  async prepare({ url }) {
    await DBOS.migrate(url);
  },
  async queue({ url, n, shape }) {
    const client = await DBOSClient.create({ systemDatabaseUrl: url, systemDatabasePoolSize: 20 });
    let i = 0;
    await Promise.all(Array.from({ length: 20 }, async () => {
      while (i < n) await client.enqueue({ workflowName: 'steps', queueName: 'bench', appVersion: 'bench' }, i++, shape === 'five' ? 5 : 1);
    }));
    await client.destroy();
  },
  async work({ url, began, finished }) {
    DBOS.setConfig({ name: 'bench', systemDatabaseUrl: url, systemDatabasePoolSize: 20, logLevel: 'error', applicationVersion: 'bench' });
    DBOS.registerWorkflow(async (id, steps) => {
      began();
      for (let k = 0; k < steps; k++) await DBOS.runStep(async () => ({ id, k }), { name: 'step' });
      finished();
      return { id };
    }, { name: 'steps' });
    await DBOS.launch();
    await DBOS.registerQueue('bench', { workerConcurrency: concurrency, minPollingIntervalMs: 10 });
  },
  async isDone(db) {
    return !(await db.query(`SELECT FROM dbos.workflow_status WHERE status IN ('ENQUEUED', 'PENDING') LIMIT 1`)).rowCount;
  },
};
