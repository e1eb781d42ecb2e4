/*
 * fire.c: runs that a trigger starts.
 *
 * 1. In the background (wf_engine_fire) a start is a message, made of what the trigger's row says: nothing is compiled, so
 *    that it costs a writer, or the keeper, no more than the insert. A worker finds out whether the version can run.
 * 2. At once (wf_engine_fire_now) it is a run in the caller's transaction, as its role: a failure is raised. What it cannot
 *    finish, since it waits, goes on in the background.
 * 3. A run is `definer`'s (or a schedule's, a webhook's): it executes as who saved the version. Else it executes as whoever
 *    made the trigger fire, who must be a member of the tenant, by a membership of its own: a superuser acts for any tenant when
 *    asked to, but does not execute what a tenant's people wrote because it touched a table.
 *    A run as somebody else than the caller leaves nothing behind that is done later with the caller's rights (deferred triggers,
 *    held cursors), and no run leaves a setting.
 * 4. A firing is counted when it commits (base/fired.h); one that comes to nothing is noted at once, since its transaction is
 *    about to be undone: who looks at wf_triggers sees why a writer's statement failed.
 * 5. What a run does may fire triggers again, without end. Each start by a trigger carries how many led to it (`chain`).
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/fired.h"
#include "base/settings.h"
#include "base/wake.h"
#include "engine/personal.h"
#include "engine/segment.h"
#include "engine/start.h"
#include "engine/triggers.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "store/quota.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

int			wf_run_chain = 0;

static int
next_chain(const WfTriggerRow *trigger, const WfFire *how)
{
	int			chain = Max(wf_run_chain, how->chain);

	if (chain > wf_setting_max_trigger_chain)
		ereport(ERROR, (errcode(WF_ERRCODE_LIMIT_EXCEEDED),
						errmsg("triggers have started each other more than %d times in a row", wf_setting_max_trigger_chain),
						errdetail("The last one is trigger \"%s\" of workflow \"%s\".", trigger->node, trigger->workflow),
						errhint("A run does what makes a trigger fire that leads to it. The setting \"workflow.max_trigger_chain\" has the limit.")));
	return chain;
}

bool
wf_engine_fires_as_owner(const WfTriggerRow *trigger)
{
	return trigger->definer || wf_trigger_kind(trigger->type)->as_owner;
}

/* May the current user's run be started? Throws 42501. */
static void
require_member(const WfTriggerRow *trigger, WfTenant *tenant)
{
	if (wf_store_is_member(&trigger->tenant_id, tenant) && wf_store_allows(tenant, WF_WORKFLOW_EXECUTE, &trigger->workflow_id))
		return;
	ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					errmsg("permission denied for trigger \"%s\" of workflow \"%s\"", trigger->node, trigger->workflow),
					errdetail("Its runs execute as who makes it fire, and role \"%s\" may not execute workflows of that tenant.",
							  GetUserNameFromId(GetUserId(), false)),
					errhint("Let \"security\" of the workflow's settings be \"definer\", or grant the role a membership with wf_grant().")));
}

static const char *
kind_of(const WfTriggerRow *trigger)
{
	const char *dot = strchr(trigger->type, '.');

	return dot == NULL ? trigger->type : dot + 1;
}

/* -- in the background -- */

/* May it be fired? Sets the run's chain, and as whom it executes. */
static void
allow(const WfTriggerRow *trigger, const WfFire *how, Run *run)
{
	PreventCommandIfReadOnly("a trigger of a workflow");
	wf_start_require_workers();
	run->chain = next_chain(trigger, how);
	if (wf_engine_fires_as_owner(trigger))
		run->role = trigger->role;
	else
	{
		run->role = OidIsValid(how->role) ? how->role : GetUserId();
		if (!OidIsValid(how->role))
			require_member(trigger, &run->tenant);
	}
	run->started_by = OidIsValid(how->started_by) ? how->started_by : run->role;
	wf_start_require_login(run->role);
}

static void
fire(const WfTriggerRow *trigger, const WfFire *how, Jsonb **inputs, int n, WfStarted *out)
{
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "workflow start", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old;
	StartRules	rules;
	Run			run;
	bool		needs_spi;

	old = MemoryContextSwitchTo(memory);
	memset(&run, 0, sizeof(run));
	run.memory = memory;
	run.tenant.tenant_id = trigger->tenant_id;
	run.trigger = kind_of(trigger);
	run.start_node = trigger->node;
	allow(trigger, how, &run);
	run.workflow_id = trigger->workflow_id;
	run.version = trigger->version;
	run.priority = trigger->priority;
	run.queued_at = wf_clock_now();
	run.options.idempotency_key = how->idempotency_key;
	run.options.correlation_id = how->correlation_id;
	run.is_personal = how->is_personal || wf_personal_trigger(trigger);
	run.known = how->known;
	wf_start_rules_of_trigger(trigger, how, &rules);
	needs_spi = how->idempotency_key != NULL || rules.gate_key != NULL || rules.gate_size > 0 || rules.gate != NULL ||
		wf_store_quotas(&run.tenant.tenant_id)->any != 0;
	if (needs_spi)
		SPI_connect();
	wf_start_all(&run, &rules, inputs, n, out);
	if (needs_spi)
		SPI_finish();
	MemoryContextSwitchTo(old);
	MemoryContextDelete(memory);
}

void
wf_engine_fire_failed(const WfTriggerRow *trigger, MemoryContext memory)
{
	ErrorData  *data;

	MemoryContextSwitchTo(memory);
	data = CopyErrorData();
	/* whoever looks at triggers sees it */
	wf_fired_failed(&trigger->tenant_id, &trigger->trigger_id, unpack_sql_state(data->sqlerrcode),
					wf_personal_trigger_is_known(trigger) ? WF_PII_MASK : data->message);
	FreeErrorData(data);
}

int
wf_engine_may_fire(const WfTriggerRow *trigger)
{
	MemoryContext memory = CurrentMemoryContext;
	WfFire		how = {0};
	Run			run = {0};

	PG_TRY();
	{
		allow(trigger, &how, &run);
	}
	PG_CATCH();
	{
		wf_engine_fire_failed(trigger, memory);
		PG_RE_THROW();
	}
	PG_END_TRY();
	return run.chain;
}

void
wf_engine_fire(const WfTriggerRow *trigger, const WfFire *how, Jsonb **inputs, int n, WfStarted *out)
{
	MemoryContext memory = CurrentMemoryContext;
	int			n_started = 0;

	PG_TRY();
	{
		fire(trigger, how, inputs, n, out);
	}
	PG_CATCH();
	{
		wf_engine_fire_failed(trigger, memory);
		PG_RE_THROW();
	}
	PG_END_TRY();
	for (int i = 0; i < n; i++)
		n_started += out[i].is_skipped || out[i].is_earlier ? 0 : 1;
	if (n_started > 0)
		wf_fired_note(&trigger->tenant_id, &trigger->trigger_id, n_started);
}

/* -- at once -- */

/* The current user and tenant as they were. */
typedef struct Identity
{
	Oid			user;
	int			context;
	int			guc_level;
} Identity;

/* Who saved the version may be gone since. */
static void
require_role(const WfTriggerRow *trigger)
{
	if (!SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(trigger->role)))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
						errmsg("owner of version %d of workflow \"%s\" does not exist any more", trigger->version, trigger->workflow),
						errhint("Save the workflow again as the role that it shall run as.")));
}

/* Becomes who the run executes as, for its tenant. An ERROR undoes both when it aborts the (sub)transaction. */
static void
assume(const WfTriggerRow *trigger, WfTenant *tenant, Identity *before)
{
	bool		as_owner = wf_engine_fires_as_owner(trigger);

	GetUserIdAndSecContext(&before->user, &before->context);
	if (as_owner)
		require_role(trigger);
	if (as_owner && trigger->role != before->user)
		SetUserIdAndSecContext(trigger->role, before->context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
	require_member(trigger, tenant);
	before->guc_level = NewGUCNestLevel();
	(void) set_config_option("workflow.tenant", tenant->name, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/* As it was. So are settings that the run changed: the writer did not ask for a search_path of somebody else's. */
static void
resume(const Identity *before)
{
	AtEOXact_GUC(false, before->guc_level);
	SetUserIdAndSecContext(before->user, before->context);
}

static void
run_now(const WfTriggerRow *trigger, const WfFire *how, Jsonb *input, WfRunMode mode, WfRunResult *result)
{
	WfRunRequest request = {0};
	WfTenant	tenant;
	Identity	before;
	Oid			user = GetUserId();

	request.chain = next_chain(trigger, how);
	(void) wf_personal_trigger(trigger);	/* if it fails it is noted */
	assume(trigger, &tenant, &before);
	request.fired = trigger;
	request.tenant = &tenant;
	request.started_by = OidIsValid(how->started_by) ? how->started_by : user;
	request.input = input;
	request.trigger = kind_of(trigger);
	request.mode = mode;
	request.idempotency_key = how->idempotency_key;
	request.correlation_id = how->correlation_id;
	request.wants_answer = how->wants_answer;
	wf_engine_run(&request, result);
	resume(&before);
}

void
wf_engine_fire_now(const WfTriggerRow *trigger, const WfFire *how, Jsonb *input, WfRunMode mode, WfRunResult *result)
{
	MemoryContext memory = CurrentMemoryContext;

	PG_TRY();
	{
		run_now(trigger, how, input, mode, result);
	}
	PG_CATCH();
	{
		wf_engine_fire_failed(trigger, memory);
		PG_RE_THROW();
	}
	PG_END_TRY();
	if (!result->is_earlier)
		wf_fired_note(&trigger->tenant_id, &trigger->trigger_id, 1);
}
