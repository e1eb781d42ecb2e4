/*
 * cron.c: a job of pg_cron that calls wf.fire_schedules() every minute.
 *
 * 1. The keeper fires schedules by itself, and to the moment. The job is a second waker, for when there is no keeper.
 * 2. There is one job in a database, of the owner of the extension workflow: made with the first schedule that is installed, removed with
 *    the last. Both are done under a lock, as two transactions that see not yet what the other does would make a mistake of it.
 * 3. What is called are functions that are members of the extension pg_cron, in C, and a superuser's: others of that name are not.
 */
#include "postgres.h"

#include "base/subtransaction.h"
#include "catalog/pg_extension.h"
#include "commands/extension.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "store/schedule.h"
#include "store/statements.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#define JOB_NAME "workflow"
#define JOB_SCHEDULE "* * * * *"
#define JOB_COMMAND "SELECT wf.fire_schedules()"

typedef struct CronFunction
{
	Oid			id;				/* InvalidOid: there is none */
	bool		takes_name;		/* its first argument is a name, else text */
} CronFunction;

typedef struct Cron
{
	CronFunction schedule;
	CronFunction unschedule;
	Oid			owner;			/* of our extension */
	bool		is_allowed;		/* to call them */
} Cron;

static bool
is_first_argument(const char *types, const char *rest, bool *takes_name)
{
	*takes_name = strncmp(types, "name", 4) == 0;
	return (*takes_name || strncmp(types, "text", 4) == 0) && strcmp(types + 4, rest) == 0;
}

/* False: the functions are not there. */
static bool
find_cron(Cron *cron)
{
	uint64		n = wf_store_execute(WF_SQL_PG_CRON, NULL, NULL);

	memset(cron, 0, sizeof(*cron));
	cron->is_allowed = true;
	for (uint64 i = 0; i < n; i++)
	{
		bool		schedules = strcmp(wf_store_text(i, 2), "schedule") == 0;
		CronFunction *function = schedules ? &cron->schedule : &cron->unschedule;
		bool		takes_name;

		if (!is_first_argument(wf_store_text(i, 3), schedules ? ", text, text" : "", &takes_name))
			continue;
		function->id = wf_store_oid(i, 1);
		function->takes_name = takes_name;
		cron->owner = wf_store_oid(i, 4);
		cron->is_allowed &= wf_store_bool(i, 5);
	}
	SPI_freetuptable(SPI_tuptable);
	return OidIsValid(cron->schedule.id) && OidIsValid(cron->unschedule.id);
}

static Datum
job_name(const CronFunction *function)
{
	return function->takes_name ? DirectFunctionCall1(namein, CStringGetDatum(JOB_NAME)) : CStringGetTextDatum(JOB_NAME);
}

static void
call(const Cron *cron, bool wanted)
{
	if (!cron->is_allowed)
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("role \"%s\", which owns the extension workflow, may not call the functions of pg_cron",
							   GetUserNameFromId(cron->owner, false))));
	if (wanted)
		(void) OidFunctionCall3(cron->schedule.id, job_name(&cron->schedule), CStringGetTextDatum(JOB_SCHEDULE),
								CStringGetTextDatum(JOB_COMMAND));
	else
		(void) OidFunctionCall1(cron->unschedule.id, job_name(&cron->unschedule));
}

/* A call to be made. */
typedef struct Call
{
	const Cron *cron;
	bool		wanted;
} Call;

/* An ERROR restores the user. */
static void
call_as_owner(void *arg)
{
	const Call *what = arg;
	WfRoleScope before;

	GetUserIdAndSecContext(&before.user, &before.context);
	SetUserIdAndSecContext(what->cron->owner, before.context | SECURITY_LOCAL_USERID_CHANGE);
	call(what->cron, what->wanted);
	SetUserIdAndSecContext(before.user, before.context);
}

/* As the extension's owner; what goes wrong is a WARNING. */
static void
try_call(const Cron *cron, bool wanted)
{
	Call		what = {cron, wanted};
	ErrorData  *error = wf_subtransaction(call_as_owner, &what);

	if (error == NULL)
		return;
	ereport(WARNING, (errmsg(wanted ? "could not make job \"%s\" of pg_cron" : "could not remove job \"%s\" of pg_cron", JOB_NAME),
					  errdetail_internal("%s", error->message),
					  errhint("Schedules are fired by the background workers all the same; the job is for when these are not there.")));
	FreeErrorData(error);
}

static void
change_job(bool wanted)
{
	Oid			extension = get_extension_oid("pg_cron", true);
	Cron		cron;

	if (!OidIsValid(extension))
		return;
	LockDatabaseObject(ExtensionRelationId, extension, 0, ShareUpdateExclusiveLock);
	if (!find_cron(&cron))
		return;					/* dropped meanwhile, or not what it says */
	if (!wanted)
	{
		bool		any = wf_store_execute_latest(WF_SQL_HAS_SCHEDULES, NULL, NULL) > 0;

		SPI_freetuptable(SPI_tuptable);
		if (any)
			return;
	}
	try_call(&cron, wanted);
}

void
wf_store_put_cron_job(void)
{
	change_job(true);
}

void
wf_store_drop_cron_job(void)
{
	change_job(false);
}
