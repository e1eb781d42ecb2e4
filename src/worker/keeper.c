/*
 * keeper.c: the process that looks after one database: timers, gates, events, escalations, and roles without
 * workers.
 *
 * It is connected as the bootstrap superuser, and executes nothing but the store's static statements, each in a short
 * transaction of its own, as wf_engine: no tenant's SQL ever runs here. Of tenants' expressions it evaluates one, the
 * `concurrencyKey` of runs that it starts for events that were put off (engine/emit.c).
 *
 * 1. It begins by asking whether the extension is there, and ends if not; then it counts what a crash left (executing.c).
 * 2. It sleeps until the next time that something is due, which it knows from its last look and from what commits told
 *    since (wf_wake_keeper_at_commit). A time that is past means: look at once, at timers, schedules, gates, events, those
 *    that were put off, and escalations. At rest it has no statement to execute; it wakes once a minute if a time is ahead, as the clock may have been
 *    moved, and not at all if none is.
 *    When it begins, secrets that the previous master key has sealed are sealed with the current one, some at each turn.
 *    What triggers did is saved a second after it was told that there is something, and when it begins (fired.h).
 *    Of a tenant that was deleted some rows go at a time, each in a transaction of its own, and what is due meanwhile goes before.
 * 3. When told to look at everything (it begins; a prepared transaction committed; rows came by COPY; a role cannot
 *    connect) it also asks which roles have messages: those get a worker, and those that cannot connect have their
 *    runs failed.
 * 4. An error is logged and what failed is tried again, ever later, up to a minute; the extension gone ends it.
 * 5. It waits for nobody's transaction: what somebody has locked is left out and looked at again soon. Should it come to
 *    wait all the same, that is an error after a while (LOCK_TIMEOUT).
 *
 * Messages that it sends wake workers as those of any transaction do.
 */
#include "postgres.h"

#include <signal.h>

#include "access/xact.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fault.h"
#include "base/fired.h"
#include "base/settings.h"
#include "base/wake.h"
#include "catalog/pg_authid.h"
#include "engine/engine.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "store/audit.h"
#include "store/quota.h"
#include "store/request.h"
#include "store/secret.h"
#include "store/runtime.h"
#include "store/tenant.h"
#include "tcop/tcopprot.h"
#include "utils/backend_status.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"
#include "worker/worker.h"

#define MOST_BURSTS 1000			/* rows of events that were put off, in one transaction */
#define MOST_WAITS 1000			/* that are fired in one transaction */
#define MOST_SCHEDULED 100		/* due times of schedules that are dealt with in one transaction */
#define MOST_RESEALED 100		/* secrets that are sealed with another master key, in one transaction */
#define MOST_FAILED 100			/* messages that are failed in one transaction */
#define MOST_SAVED 500			/* triggers of which it is saved what they did, in one transaction */
#define MOST_EXPIRED 1000		/* runs that are deleted in one transaction */
#define MOST_DELETED 1000		/* rows of deleted tenants, likewise */
#define UPKEEP_AGAIN_US (INT64CONST(300) * 1000000)
#define MEASURE_US (INT64CONST(600) * 1000000)	/* between two measures of what tenants have stored */
#define MEASURE_SHARE 20		/* of the time, one part in so many, may go into it */
#define UPKEEP_US (24 * INT64CONST(3600) * 1000000)
#define REST_AFTER_MS INT64CONST(60000)
#define LONGEST_SLEEP_MS 60000	/* with a time ahead: the clock may be moved */
#define LONGEST_BACKOFF_MS 60000
#define LEAST_AGAIN_MS 20		/* doubled each time */
#define LONGEST_GATES_AGAIN_MS 1000
#define LONGEST_DELETES_AGAIN_MS 10000
#define LOCK_TIMEOUT "2s"

/* What is to be done, and what was found. */
typedef struct Look
{
	int			n;
	bool		some_are_locked;
	bool		some_are_left;		/* messages that were to be failed: somebody has their run locked */
	TimestampTz now;
	TimestampTz next_wait;		/* 0: none */
	TimestampTz next_escalation;
	TimestampTz next_burst;
	TimestampTz next_schedule;
	List	   *roles;			/* that have messages */
	List	   *reservations;	/* WfReservation * */
	Oid			role;			/* whose messages are failed */
	const WfError *error;
	bool		has_extension;
	WfResealing resealing;
	bool		more;
	bool		some_are_old;
	pg_uuid_t  *crashed;
	int			n_crashed;
	int		   *crashes;
	List	   *tenants;			/* whose stored bytes are to be measured */
	const pg_uuid_t *tenant_id;	/* that is measured */
} Look;

/* What is looked at again since somebody had some of it locked. */
typedef struct Again
{
	TimestampTz due;			/* DT_NOEND: nothing is */
	int			wait_ms;		/* the last; 0: none */
} Again;

static TimestampTz next_due = DT_NOEND;
static Again gates_again = {DT_NOEND};	/* starts at gates */
static Again roles_again = {DT_NOEND};	/* roles whose messages are to be failed */
static Again deletes_again = {DT_NOEND};	/* rows of deleted tenants */
static Again saves = {0};		/* what triggers did; at once when it begins */
static Again reseals = {0};		/* secrets of the previous master key; at once when it begins */
static WfResealing resealing;	/* how far that has come */
static TimestampTz upkeep_at = 0;
static TimestampTz measure_at = 0;	/* DT_NOEND: nobody has such a quota */
static TimestampTz idle_since = 0;	/* when it last had something to do */
static MemoryContext look_memory;

/* -- work within transactions -- */

static void
fire_waits(void *arg)
{
	Look	   *look = arg;

	wf_transaction_open(look_memory);
	look->now = wf_clock_now();
	look->n = wf_store_fire_waits(look->now, MOST_WAITS, &look->next_wait);
	wf_transaction_close(look_memory);
}

static void
open_gates(void *arg)
{
	wf_transaction_open(look_memory);
	((Look *) arg)->n = wf_store_open_gates(&((Look *) arg)->some_are_locked);
	wf_transaction_close(look_memory);
}

static void
match_events(void *arg)
{
	wf_transaction_open(look_memory);
	((Look *) arg)->n = wf_store_match_events(wf_clock_now() - wf_setting_event_buffer_time * INT64CONST(1000));
	wf_transaction_close(look_memory);
}

static void
escalate(void *arg)
{
	Look	   *look = arg;

	wf_transaction_open(look_memory);
	look->n = wf_store_escalate(wf_clock_now(), &look->next_escalation);
	wf_transaction_close(look_memory);
}

static void
fire_bursts(void *arg)
{
	Look	   *look = arg;

	wf_transaction_open(look_memory);
	look->n = wf_engine_fire_bursts(wf_clock_now(), MOST_BURSTS, &look->next_burst);
	wf_transaction_close(look_memory);
}

static void
fire_schedules(void *arg)
{
	Look	   *look = arg;

	wf_transaction_open(look_memory);
	look->n = wf_engine_fire_schedules(MOST_SCHEDULED, &look->next_schedule);
	wf_transaction_close(look_memory);
}

static void
find_roles(void *arg)
{
	Look	   *look = arg;

	wf_transaction_open(look_memory);
	look->roles = wf_store_ready_roles();
	wf_transaction_close(look_memory);
}

static void
fail_messages(void *arg)
{
	Look	   *look = arg;
	pg_uuid_t	tenant = {{0}};
	List	   *messages;
	ListCell   *lc;

	wf_transaction_open(look_memory);
	messages = wf_store_claim(look->role, MOST_FAILED, &tenant);
	wf_transaction_close(look_memory);
	look->n = 0;
	foreach(lc, messages)
	{
		if (wf_engine_fail(lfirst(lc), look->error, true) == WF_TURN_BUSY)
			look->some_are_left = true;
		else
			look->n++;
	}
}

static void
find_extension(void *arg)
{
	((Look *) arg)->has_extension = wf_session_has_extension();
}

/* Counts a crash on each of them, or on those alone that had one before; true when there are both kinds. */
static bool
count_each(Look *look, bool only_repeated)
{
	bool		repeated = false;
	bool		first = false;

	for (int i = 0; i < look->n_crashed; i++)
	{
		if (!only_repeated || look->crashes[i] > 1)
			look->crashes[i] = wf_store_count_crash(&look->crashed[i], wf_setting_max_crashes);
		repeated |= look->crashes[i] > 1;
		first |= look->crashes[i] == 1;
	}
	return repeated && first;
}

static void
count_crashes(void *arg)
{
	Look	   *look = arg;

	wf_transaction_open(look_memory);
	BeginInternalSubTransaction(NULL);
	if (count_each(look, false))
	{
		RollbackAndReleaseCurrentSubTransaction();
		(void) count_each(look, true);
	}
	else
		ReleaseCurrentSubTransaction();
	WF_FAULT("crash.counted");
	wf_transaction_close(look_memory);
}

static void
delete_some(void *arg)
{
	Look	   *look = arg;

	wf_transaction_open(look_memory);
	look->n = wf_engine_delete_some(MOST_DELETED, &look->some_are_left);
	wf_transaction_close(look_memory);
}

/* -- doing it -- */

/* Does the work; an error is thrown again, outside the transaction. */
static void
must(void (*work) (void *arg), Look *look)
{
	ErrorData  *error = wf_transaction(work, look, NULL);

	if (error != NULL)
		ReThrowError(error);
}

/* Runs that were executing when the server crashed. If some had a crash before, those alone are suspected. */
static void
settle_crashes(Look *look)
{
	look->n_crashed = wf_executing_crashed(MyDatabaseId, &look->crashed);
	if (look->n_crashed == 0)
		return;
	look->crashes = palloc0(sizeof(int) * look->n_crashed);
	WF_FAULT("crash.count");
	must(count_crashes, look);
	WF_FAULT("crash.forget");
	wf_executing_forget_crashed(MyDatabaseId);
	WF_FAULT("crash.forgotten");
	ereport(LOG, (errmsg("workflow keeper: %d runs were executing when the server or their worker went down", look->n_crashed)));
}

static void
make_partitions(void *arg)
{
	wf_transaction_open(look_memory);
	((Look *) arg)->n = wf_store_make_partitions(wf_clock_now());
	wf_transaction_close(look_memory);
}

static void
expire(void *arg)
{
	wf_transaction_open(look_memory);
	((Look *) arg)->n = wf_store_expire(wf_clock_now(), MOST_EXPIRED);
	wf_store_prune_circuits(wf_clock_now() - UPKEEP_US);
	wf_store_prune_fired();
	wf_transaction_close(look_memory);
}

/* By itself: nothing is waited for by who has locked a trail. */
static void
expire_audit(void *arg)
{
	wf_transaction_open(look_memory);
	((Look *) arg)->n = wf_store_expire_audit(wf_clock_now(), MOST_EXPIRED);
	wf_transaction_close(look_memory);
}

/* Once a day, and when the keeper begins: partitions of history are made ahead, and what is older than it is kept goes. */
static void
do_upkeep(Look *look)
{
	upkeep_at = wf_clock_now() + UPKEEP_AGAIN_US;	/* if it fails */
	must(make_partitions, look);
	do
		must(expire, look);
	while (look->n > 0);			/* not "all that may be": some were left out */
	do
		must(expire_audit, look);
	while (look->n > 0);
	upkeep_at = wf_clock_now() + UPKEEP_US;
}

static void
find_tenants(void *arg)
{
	Look	   *look = arg;

	wf_transaction_open(look_memory);
	look->tenants = wf_store_to_measure(wf_clock_now() - MEASURE_US / 2);
	wf_transaction_close(look_memory);
}

static void
measure(void *arg)
{
	wf_transaction_open(look_memory);
	(void) wf_store_measure(((Look *) arg)->tenant_id);
	wf_transaction_close(look_memory);
}

/* Of something to be done before `until`, since it last heard; with the lock held. */
static bool
was_told(TimestampTz until)
{
	return wf_my_keeper->look || wf_my_keeper->due < until || wf_my_keeper->save_due < until;
}

/* Is there something else to do, that was told meanwhile or has come to be due? */
static bool
is_wanted(void)
{
	TimestampTz now = wf_clock_now();
	bool		told;

	LWLockAcquire(wf_processes_lock, LW_SHARED);
	told = was_told(now);
	LWLockRelease(wf_processes_lock);
	return told || Min(next_due, gates_again.due) <= now;
}

/* What tenants have stored that have a quota of it; each in a transaction of its own, as it may take long. Other work comes first. */
static void
do_measure(Look *look)
{
	TimestampTz began_at = wf_clock_now();
	ListCell   *lc;

	measure_at = began_at + UPKEEP_AGAIN_US;	/* if it fails */
	must(find_tenants, look);
	foreach(lc, look->tenants)
	{
		look->tenant_id = lfirst(lc);
		must(measure, look);
		if (lnext(look->tenants, lc) != NULL && is_wanted())
		{
			measure_at = wf_clock_now();	/* those that are left */
			return;
		}
	}
	measure_at = look->tenants == NIL ? DT_NOEND :
		wf_clock_now() + Max(MEASURE_US, (wf_clock_now() - began_at) * MEASURE_SHARE);
}

/* The earlier of two times; 0: none. */
static TimestampTz
earlier(TimestampTz a, TimestampTz b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

static void
do_timers(Look *look)
{
	do
	{
		must(fire_waits, look);
		if (look->n > 0)
			WF_FAULT("keeper.waits_fired");
	} while (look->n >= MOST_WAITS);
	must(escalate, look);
	do
	{
		must(fire_bursts, look);
		if (look->n > 0)
			WF_FAULT("keeper.bursts_fired");
	} while (look->n >= MOST_BURSTS);
	do
	{
		must(fire_schedules, look);
		if (look->n > 0)
			WF_FAULT("keeper.schedules_fired");
	} while (look->n >= MOST_SCHEDULED);
	next_due = earlier(DT_NOEND, earlier(earlier(look->next_wait, look->next_escalation), earlier(look->next_schedule, look->next_burst)));
}

/* It was looked at: are some left? Then ever later, up to the longest wait. */
static void
settle_again(Again *again, bool some_are_left, int longest_ms)
{
	again->wait_ms = some_are_left ? Min(Max(again->wait_ms * 2, LEAST_AGAIN_MS), longest_ms) : 0;
	again->due = some_are_left ? TimestampTzPlusMilliseconds(wf_clock_now(), again->wait_ms) : DT_NOEND;
}

/* As must(), but false when somebody has locked something for too long. */
static bool
may(void (*work) (void *arg), Look *look)
{
	ErrorData  *error = wf_transaction(work, look, NULL);

	if (error != NULL && error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE)
		ReThrowError(error);
	return error == NULL;
}

/* The role cannot connect: its runs fail, each message in the queue by itself. */
static void
fail_role(Look *look, Oid role, int sqlstate, const char *why)
{
	look->role = role;
	look->error = wf_error_make(sqlstate, "Queued runs are executed as this role: give it back what it lacks, then call wf_retry.",
								"%s", why);
	do
	{
		if (!may(fail_messages, look))
		{
			look->some_are_left = true;
			return;
		}
	} while (look->n >= MOST_FAILED);
}

static void
check_role(void *arg)
{
	Look	   *look = arg;
	const char *why;
	int			sqlstate;
	MemoryContext old = MemoryContextSwitchTo(look_memory);

	sqlstate = wf_connect_problem(look->role, MyDatabaseId, &why);
	look->error = sqlstate == 0 ? NULL : wf_error_make(sqlstate, NULL, "%s", why);
	MemoryContextSwitchTo(old);
}

/* In memory of the look. */
static void
find_reservations(void *arg)
{
	ListCell   *lc;

	wf_transaction_open(look_memory);
	((Look *) arg)->reservations = wf_store_reservations();
	foreach(lc, ((Look *) arg)->reservations)
	{
		WfReservation *one = lfirst(lc);

		one->roles = wf_store_roles_of_tenant(&one->tenant_id);
	}
	wf_transaction_close(look_memory);
}

/* Tells the launcher for which tenants workers are reserved; and, after do_roles, that these may have messages. */
static void
do_reservations(Look *look)
{
	WfReserved *list;
	int			n = 0;
	ListCell   *lc;

	must(find_reservations, look);
	list = palloc(sizeof(WfReserved) * Max(list_length(look->reservations), 1));
	foreach(lc, look->reservations)
	{
		const WfReservation *one = lfirst(lc);

		list[n] = (WfReserved) {.database = MyDatabaseId, .tenant_id = one->tenant_id, .n = one->n};
		n++;
	}
	if (!wf_process_set_reserved(MyDatabaseId, list, n))
		ereport(LOG, (errmsg("workflow keeper: workers are reserved for more tenants than there is room for"),
					  errdetail("There is room for %d on the server; some tenants share the workers of all.", WF_MOST_RESERVATIONS)));
}

static void
ring_tenants(Look *look)
{
	ListCell   *lc;
	ListCell   *role;

	foreach(lc, look->reservations)
	{
		const WfReservation *one = lfirst(lc);

		LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
		foreach(role, one->roles)
			wf_process_ring_tenant(MyDatabaseId, lfirst_oid(role), &one->tenant_id);
		LWLockRelease(wf_processes_lock);
	}
}

static void
do_roles(Look *look)
{
	ListCell   *lc;

	look->some_are_left = false;
	must(find_roles, look);
	WF_FAULT("crash.roles");
	foreach(lc, look->roles)
	{
		look->role = lfirst_oid(lc);
		must(check_role, look);
		if (look->error != NULL)
			fail_role(look, look->role, look->error->sqlstate, look->error->message);
		else
		{
			LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
			wf_process_ring(MyDatabaseId, look->role);
			LWLockRelease(wf_processes_lock);
		}
	}
	if (look->some_are_left)
		WF_FAULT("keeper.roles_locked");
	settle_again(&roles_again, look->some_are_left, LONGEST_BACKOFF_MS);
}

static void
find_requests(void *arg)
{
	wf_transaction_open(look_memory);
	((Look *) arg)->n = wf_store_has_requests() ? 1 : 0;
	wf_transaction_close(look_memory);
}

/*
 * Requests that were left behind, by a server that went down or by whoever restored them, have a dispatcher started. One that
 * is there looks at the rest, too: of what a prepared transaction did it was told nothing.
 */
static void
do_requests(Look *look)
{
	int			calls = WF_DISPATCH_CANCELS | WF_DISPATCH_CIRCUITS | WF_DISPATCH_POLICIES;

	must(find_requests, look);
	if (look->n > 0)
		calls |= WF_DISPATCH_REQUESTS;
	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	wf_process_ring_dispatcher(MyDatabaseId, calls);
	LWLockRelease(wf_processes_lock);
}

static void
do_gates(Look *look)
{
	do
	{
		must(open_gates, look);
		if (look->n > 0)
			WF_FAULT("keeper.gates_opened");
	} while (look->n > 0);
	if (look->some_are_locked)
		WF_FAULT("keeper.gates_locked");
	settle_again(&gates_again, look->some_are_locked, LONGEST_GATES_AGAIN_MS);
}

/*
 * Some of what is left of deleted tenants. The rest is for the next look, which is at once: what is due meanwhile does not wait for it.
 */
static void
do_deletes(Look *look)
{
	ErrorData  *error;

	look->n = 0;
	look->some_are_left = false;
	error = wf_transaction(delete_some, look, NULL);
	if (error != NULL)
	{
		/* it is tried again, and nothing else has to wait for that */
		look->n = 0;
		look->some_are_left = true;
		if (error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE)
			ereport(LOG, (errcode(error->sqlerrcode),
						  errmsg("workflow keeper: could not delete rows of a deleted tenant: %s", error->message),
						  error->context != NULL ? errcontext("%s", error->context) : 0));
	}
	if (look->n > 0)
	{
		WF_FAULT("keeper.tenant_deleted");
		deletes_again = (Again) {.due = 0};
		return;
	}
	settle_again(&deletes_again, look->some_are_left, LONGEST_DELETES_AGAIN_MS);
}

static void
save_fired(void *arg)
{
	wf_transaction_open(look_memory);
	((Look *) arg)->n = wf_store_save_fired(MOST_SAVED);
	WF_FAULT("keeper.fired_saved");
	wf_transaction_close(look_memory);
}

/*
 * What triggers did since the last time. It is worth no wait: should somebody have locked the table, then later. What comes
 * meanwhile is for the next time, a second later.
 */
static void
do_saves(Look *look)
{
	int			left = WF_MOST_FIRED;
	bool		is_locked = false;

	saves.due = wf_clock_now() + LONGEST_BACKOFF_MS * INT64CONST(1000); /* if it fails */
	look->n = wf_fired_any() ? MOST_SAVED : 0;
	for (; left > 0 && look->n == MOST_SAVED && !is_locked; left -= MOST_SAVED)
		is_locked = !may(save_fired, look);
	settle_again(&saves, is_locked, LONGEST_BACKOFF_MS);
}

static void
reseal(void *arg)
{
	Look	   *look = arg;

	wf_transaction_open(look_memory);
	look->more = wf_store_reseal(&look->resealing, MOST_RESEALED);
	look->some_are_old = !look->more && wf_store_has_old_secrets();
	wf_transaction_close(look_memory);
}

/*
 * Some of the secrets that the previous master key has sealed; the others at the next turn, so that timers do not wait for all of
 * them. Those that somebody has locked are looked at again later; those that can not be opened stay as they are.
 */
static void
do_reseals(Look *look, bool from_the_beginning)
{
	ErrorData  *error;

	if (from_the_beginning)
		memset(&resealing, 0, sizeof(resealing));
	if (wf_master_key_problem(WF_MASTER_KEY_PREVIOUS) != NULL || wf_master_key_problem(WF_MASTER_KEY_CURRENT) != NULL)
	{
		reseals.due = DT_NOEND;
		return;
	}
	look->resealing = resealing;
	error = wf_transaction(reseal, look, NULL);
	if (error != NULL)
	{
		/* nothing else is to wait for that */
		ereport(LOG, (errcode(error->sqlerrcode), errmsg("workflow keeper: secrets could not be encrypted with the current master key: %s",
														 error->message)));
		settle_again(&reseals, true, LONGEST_BACKOFF_MS);
		return;
	}
	resealing = look->resealing;
	if (look->more)
	{
		reseals.due = wf_clock_now();
		return;
	}
	if (resealing.n_done + resealing.n_broken > 0)
		ereport(LOG, (errmsg("workflow keeper: %d secrets were encrypted with the current master key, %d can not be decrypted",
							 resealing.n_done, resealing.n_broken)));
	settle_again(&reseals, look->some_are_old && resealing.n_broken == 0, LONGEST_BACKOFF_MS);
	memset(&resealing, 0, sizeof(resealing));
}

static void
look_at(bool everything, bool poked)
{
	Look		look = {0};
	TimestampTz now = wf_clock_now();

	if (everything)
	{
		do_reservations(&look);
		settle_crashes(&look);
	}
	if (everything || poked || next_due <= now)
		do_timers(&look);
	if (everything || poked || gates_again.due <= now)
		do_gates(&look);
	if (everything || poked)
	{
		must(match_events, &look);
		WF_FAULT("keeper.events_matched");
	}
	if (everything || roles_again.due <= now)
		do_roles(&look);
	if (everything)
	{
		ring_tenants(&look);
		do_requests(&look);
	}
	if (saves.due <= now)
		do_saves(&look);
	if (everything || deletes_again.due <= now)
		do_deletes(&look);
	if (everything || reseals.due <= now)
		do_reseals(&look, everything);
	if (upkeep_at <= now)
		do_upkeep(&look);
	if (everything || measure_at <= now)
		do_measure(&look);
}

/* -- the process -- */

static void
detach(int code, Datum arg)
{
	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	if (wf_my_keeper->rests_until != 0 && was_told(wf_my_keeper->rests_until))
	{
		/* it was told of something when it had made up its mind */
		wf_my_keeper->rests_until = 0;
		wf_process_found(wf_my_keeper->process.database);
	}
	wf_my_keeper->process.state = WF_PROCESS_NONE;
	wf_my_keeper->process.pid = 0;
	wf_process_wake(&wf_processes->launcher);
	LWLockRelease(wf_processes_lock);
	wf_my_keeper = NULL;
}

static bool
attach(int number, const WfAssignment *assignment)
{
	WfKeeperSlot *slot = &wf_keeper_slots[number];
	bool		mine;

	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	mine = wf_process_attach(&slot->process, assignment->database);
	if (mine)
	{
		slot->look = true;
		slot->due = DT_NOEND;
		slot->save_due = DT_NOEND;
		slot->absent = false;
		slot->rests_until = 0;
		wf_my_keeper = slot;
	}
	LWLockRelease(wf_processes_lock);
	return mine;
}

/* There is something to keep: the launcher may start the next one. */
static void
come_up(void)
{
	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	wf_my_keeper->sleeps_until = 1;
	wf_process_wake(&wf_processes->launcher);
	LWLockRelease(wf_processes_lock);
}

/* What commits have told since the last time. */
static void
hear(bool *everything, bool *poked)
{
	TimestampTz now = wf_clock_now();

	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	wf_my_keeper->process.state = WF_PROCESS_BUSY;
	*everything = wf_my_keeper->look;
	*poked = wf_my_keeper->due <= now;
	if (wf_my_keeper->due > now && wf_my_keeper->due < next_due)
		next_due = wf_my_keeper->due;
	if (saves.wait_ms == 0 && wf_my_keeper->save_due < saves.due)
		saves.due = wf_my_keeper->save_due;
	wf_my_keeper->look = false;
	wf_my_keeper->due = DT_NOEND;
	wf_my_keeper->save_due = DT_NOEND;
	LWLockRelease(wf_processes_lock);
}

/* Nothing has to be done for a while: the launcher starts a keeper again in time, or when it is told of something. */
static void
rest(TimestampTz until)
{
	bool		quiet;

	WF_FAULT("keeper.rests");
	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	quiet = !was_told(until);
	if (quiet)
		wf_my_keeper->rests_until = until;
	LWLockRelease(wf_processes_lock);
	if (quiet)
		proc_exit(0);
}

/* How many ms a keeper with nothing to do before `until` stays; -1: for as long as that is so. */
static long
patience_ms(TimestampTz until, TimestampTz now)
{
	bool		is_crowded;

	if (until < TimestampTzPlusMilliseconds(now, LONGEST_SLEEP_MS))
		return -1;
	LWLockAcquire(wf_processes_lock, LW_SHARED);
	is_crowded = wf_processes->is_crowded;
	LWLockRelease(wf_processes_lock);
	return is_crowded ? 0 : Max(0, (idle_since + REST_AFTER_MS * 1000 - now) / 1000);
}

/* When something is due that it knows of. */
static TimestampTz
soonest(void)
{
	const TimestampTz dues[] = {
		next_due, gates_again.due, roles_again.due, saves.due, deletes_again.due, reseals.due, upkeep_at, measure_at
	};
	TimestampTz first = DT_NOEND;

	for (int i = 0; i < lengthof(dues); i++)
		first = Min(first, dues[i]);
	return first;
}

/* Sleeps until something is due, `at_most` ms (-1: any time), or until it is told something. */
static void
sleep_until_due(long at_most)
{
	TimestampTz until = soonest();
	TimestampTz now = wf_clock_now();
	long		timeout;
	bool		quiet;

	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	quiet = !was_told(until);
	wf_my_keeper->process.state = WF_PROCESS_IDLE;
	wf_my_keeper->sleeps_until = Max(until, 1);
	LWLockRelease(wf_processes_lock);
	if (at_most < 0 && (!quiet || until <= now))
		return;
	if (at_most < 0 && patience_ms(until, now) == 0)
		rest(until);
	timeout = until <= now ? 0 : Min((until - now + 999) / 1000, Min(next_due, gates_again.due) == DT_NOEND ? 60 * LONGEST_SLEEP_MS : LONGEST_SLEEP_MS);
	if (at_most >= 0)
		timeout = at_most;
	else if (patience_ms(until, now) >= 0)
		timeout = Min(timeout, patience_ms(until, now) + 1);
	pgstat_report_activity(STATE_IDLE, NULL);
	(void) pgstat_report_stat(true);
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, timeout, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	pg_atomic_fetch_add_u64(&wf_processes->n_wakes, 1);
}

/* After an error: is the extension there still? */
static bool
extension_is_there(void)
{
	Look		look = {.has_extension = true};
	ErrorData  *error = wf_transaction(find_extension, &look, NULL);

	return error != NULL || look.has_extension;
}

/* The launcher asks no more until the database may have come to have the extension. */
static void
leave_for_good(void)
{
	wf_fired_forget();
	(void) wf_process_set_reserved(MyDatabaseId, NULL, 0);
	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	wf_my_keeper->absent = true;
	LWLockRelease(wf_processes_lock);
	proc_exit(0);
}

static void
keep(void)
{
	volatile long backoff = -1;

	for (;;)
	{
		bool		everything;
		bool		poked;

		wf_session_look_around();
		hear(&everything, &poked);
		MemoryContextReset(look_memory);
		MemoryContextSwitchTo(look_memory);
		if (backoff > 0)
			everything = true;
		if (everything || poked || soonest() <= wf_clock_now())
		{
			pgstat_report_activity(STATE_RUNNING, "");
			PG_TRY();
			{
				look_at(everything, poked);
				idle_since = wf_clock_now();
				backoff = -1;
			}
			PG_CATCH();
			{
				MemoryContextSwitchTo(look_memory);
				EmitErrorReport();
				FlushErrorState();
				backoff = backoff < 0 ? 100 : Min(backoff * 2, LONGEST_BACKOFF_MS);
			}
			PG_END_TRY();
			if (backoff > 0 && !extension_is_there())
				leave_for_good();
		}
		sleep_until_due(backoff);
	}
}

void
wf_worker_keeper_main(Datum arg)
{
	WfAssignment assignment;

	memcpy(&assignment, MyBgworkerEntry->bgw_extra, sizeof(assignment));
	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	if (wf_processes == NULL || !attach(DatumGetInt32(arg), &assignment))
		proc_exit(0);
	on_shmem_exit(detach, (Datum) 0);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(assignment.database, InvalidOid, 0);
	wf_session_begin(BOOTSTRAP_SUPERUSERID);
	SetConfigOption("lock_timeout", LOCK_TIMEOUT, PGC_SUSET, PGC_S_OVERRIDE);
	look_memory = AllocSetContextCreate(TopMemoryContext, "workflow keeper", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(look_memory);
	if (!extension_is_there())
		leave_for_good();
	come_up();
	keep();
}
