/*
 * remove_tenant.c: what is left of a tenant that was deleted goes, some at a time.
 *
 * The keeper calls this again and again, or a superuser does by wf.finish_deletions(). First go the triggers, with what they have
 * elsewhere: triggers of users' tables, the job of pg_cron. A table that somebody has locked is tried again. Then all
 * rows (store/tenant_delete.c).
 */
#include "postgres.h"

#include "base/fault.h"
#include "base/subtransaction.h"
#include "base/wake.h"
#include "engine/triggers.h"
#include "miscadmin.h"
#include "store/tenant.h"
#include "utils/guc.h"

#define MOST_TRIGGERS 20		/* in one transaction: each may lock a table of somebody's */
#define LOCK_TIMEOUT_MS "100"	/* for each: other work waits meanwhile, and so does whoever comes to the table after us */

static void
drop_trigger(void *arg)
{
	const WfTriggerRow *row = arg;
	const TriggerKind *kind = wf_trigger_kind(row->type);

	wf_store_delete_trigger(&row->tenant_id, &row->trigger_id);
	if (kind->clear != NULL)
		kind->clear(NULL, row);
}

/* How many were dropped; *some_wait: one could not be, and is in the way of the rest. */
static int
drop_triggers(const pg_uuid_t *tenant_id, bool *some_wait)
{
	int			n = 0;
	ListCell   *cell;

	(void) set_config_option("lock_timeout", LOCK_TIMEOUT_MS, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
	foreach(cell, wf_store_triggers_of_tenant(tenant_id, MOST_TRIGGERS))
	{
		WfTriggerRow *row = lfirst(cell);
		ErrorData  *error = wf_subtransaction(drop_trigger, row);

		CHECK_FOR_INTERRUPTS();
		if (error == NULL)
		{
			n++;
			continue;
		}
		*some_wait = true;
		ereport(LOG, (errcode(error->sqlerrcode),
					  errmsg("trigger \"%s\" of workflow \"%s\", whose tenant was deleted, could not be dropped: %s", row->node,
							 row->workflow, error->message),
					  errdetail("It starts nothing, and is tried again.")));
		FreeErrorData(error);
	}
	return n;
}

int
wf_engine_delete_some(int most, bool *some_wait)
{
	int			n = 0;
	ListCell   *cell;

	*some_wait = false;
	foreach(cell, wf_store_deleting_tenants())
	{
		const pg_uuid_t *tenant_id = lfirst(cell);
		bool		is_stuck = false;
		int			n_triggers;

		if (!wf_store_is_abandoned(tenant_id))
		{
			*some_wait = true;
			continue;
		}
		n_triggers = drop_triggers(tenant_id, &is_stuck);
		*some_wait |= is_stuck;
		n += n_triggers;
		if (n_triggers == 0 && !is_stuck && n < most)
			n += wf_store_delete_rows(tenant_id, most - n);
		if (n >= most)
			break;
	}
	if (n > 0)
	{
		WF_FAULT("tenant.deleted_some");
		wf_wake_dispatcher_at_commit(WF_DISPATCH_CANCELS);	/* what it has begun of these */
	}
	return n;
}
