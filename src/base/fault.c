/*
 * fault.c: fault points; compiled with WF_TESTING only. fault.h says what they are.
 *
 * What is armed is a struct in shared memory, or in this process when the library was not preloaded. A point costs a
 * look at a flag until something is armed. Whoever reaches the point takes it, under the lock, so that it strikes
 * once; the flag is down before anything happens. A crash makes shared memory anew: nothing is armed then.
 */
#include "postgres.h"

#ifdef WF_TESTING

#include <signal.h>
#include <unistd.h>

#include "base/compat.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/wake.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "storage/spin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#define MOST_NAME 64
#define DEFAULT_SLEEP_MS 1000
#define FILE_NAME "workflow.fault"

typedef enum FaultAction
{
	FAULT_NONE,
	FAULT_KILL,
	FAULT_POSTMASTER,
	FAULT_SEGV,
	FAULT_ERROR,
	FAULT_SLEEP,
	FAULT_HOLD,
} FaultAction;

static const char *const action_names[] = {"none", "kill", "postmaster", "segv", "error", "sleep", "hold"};

typedef struct FaultState
{
	slock_t		lock;			/* of all but armed, which is read without */
	volatile bool armed;
	char		name[MOST_NAME];
	FaultAction action;
	int			nth;			/* so many more have to come there */
	int			ms;
	volatile int n_arms;		/* times that something, or nothing, was armed */
	volatile int64 clock_offset_us; /* see clock.c */
} FaultState;

static FaultState local_state;
static FaultState *state = &local_state;
static shmem_request_hook_type previous_request = NULL;
static shmem_startup_hook_type previous_startup = NULL;

volatile bool *wf_fault_armed = &local_state.armed;

PGDLLEXPORT Datum wf_sql_test_fault(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(wf_sql_test_fault);
PGDLLEXPORT Datum wf_sql_test_fault_reach(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(wf_sql_test_fault_reach);

static void take_file(void);

static void
request_memory(void)
{
	if (previous_request != NULL)
		previous_request();
	RequestAddinShmemSpace(MAXALIGN(sizeof(FaultState)));
}

static void
attach_memory(void)
{
	bool		found;

	if (previous_startup != NULL)
		previous_startup();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	state = ShmemInitStruct("workflow fault points", sizeof(FaultState), &found);
	if (!found)
	{
		memset(state, 0, sizeof(FaultState));
		SpinLockInit(&state->lock);
		take_file();
	}
	LWLockRelease(AddinShmemInitLock);
	wf_fault_armed = &state->armed;
	wf_clock_offset_us = &state->clock_offset_us;
}

void
wf_fault_init(void)
{
	SpinLockInit(&local_state.lock);
	if (!process_shared_preload_libraries_in_progress)
		return;
	previous_request = shmem_request_hook;
	shmem_request_hook = request_memory;
	previous_startup = shmem_startup_hook;
	shmem_startup_hook = attach_memory;
}

static void
wait_ms(int ms)
{
	TimestampTz end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ms);

	for (;;)
	{
		long		rest = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), end);

		CHECK_FOR_INTERRUPTS();
		if (rest <= 0)
			return;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, rest, PG_WAIT_EXTENSION);
		/* Whoever set it meant the process, not this wait: left set, it would make the wait spin. */
		ResetLatch(MyLatch);
	}
}

/* This process is at the point: dies, fails or waits when that is what the point is armed for. */
void
wf_fault_reach(const char *name)
{
	FaultAction action = FAULT_NONE;
	int			ms = 0;
	int			n_arms;

	SpinLockAcquire(&state->lock);
	n_arms = state->n_arms;
	if (state->armed && strcmp(state->name, name) == 0 && --state->nth <= 0)
	{
		action = state->action;
		ms = state->ms;
		state->armed = false;
	}
	SpinLockRelease(&state->lock);
	switch (action)
	{
		case FAULT_NONE:
			break;
		case FAULT_POSTMASTER:
			kill(PostmasterPid, SIGKILL);
			/* FALLTHROUGH */
		case FAULT_KILL:
			kill(MyProcPid, SIGKILL);
			break;
		case FAULT_SEGV:
			kill(MyProcPid, SIGSEGV);
			break;
		case FAULT_ERROR:
			ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("fault at \"%s\"", name)));
			break;
		case FAULT_HOLD:
			while (state->n_arms == n_arms)
				wait_ms(1);
			SetLatch(MyLatch);
			break;
		case FAULT_SLEEP:
			wait_ms(ms);
			/* The waker may have meant more than this wait. */
			SetLatch(MyLatch);
			break;
	}
}

/* The next part of a specification, up to a colon; NULL when there is none left. */
static char *
next_part(char **rest)
{
	char	   *part = *rest;
	char	   *colon;

	if (part == NULL)
		return NULL;
	colon = strchr(part, ':');
	if (colon != NULL)
		*colon++ = '\0';
	*rest = colon;
	return part;
}

static FaultAction
find_action(const char *name)
{
	for (int i = FAULT_KILL; name != NULL && i < lengthof(action_names); i++)
		if (strcmp(action_names[i], name) == 0)
			return (FaultAction) i;
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("a fault looks like name:action[:nth[:ms]]")));
}

/* What a specification says; it is changed. Throws 22023. */
static void
read_specification(char *rest, FaultState *out)
{
	char	   *name = next_part(&rest);
	char	   *part;

	memset(out, 0, sizeof(*out));
	strlcpy(out->name, name, MOST_NAME);
	out->action = find_action(next_part(&rest));
	out->nth = (part = next_part(&rest)) != NULL ? pg_strtoint32(part) : 1;
	out->ms = (part = next_part(&rest)) != NULL ? pg_strtoint32(part) : DEFAULT_SLEEP_MS;
}

static void
arm(const FaultState *from)
{
	strlcpy(state->name, from->name, MOST_NAME);
	state->action = from->action;
	state->nth = from->nth;
	state->ms = from->ms;
	state->n_arms++;
	state->armed = from->action != FAULT_NONE;
}

/* What is to be armed from the beginning: one line of a file, which is gone then. */
static void
take_file(void)
{
	FILE	   *file = fopen(FILE_NAME, "r");
	char		line[MOST_NAME * 2] = "";
	FaultState	found;

	if (file == NULL)
		return;
	if (fgets(line, sizeof(line), file) != NULL)
	{
		line[strcspn(line, "\n")] = '\0';
		read_specification(line, &found);
		arm(&found);
	}
	(void) fclose(file);
	(void) unlink(FILE_NAME);
}

/* Arms a point, or none (''), or changes nothing ('?'); what was armed until now and has not been reached, or ''. */
Datum
wf_sql_test_fault(PG_FUNCTION_ARGS)
{
	char	   *spec = text_to_cstring(PG_GETARG_TEXT_PP(0));
	FaultState	before;
	FaultState	after = {0};
	bool		ask = strcmp(spec, "?") == 0;

	if (spec[0] != '\0' && !ask)
		read_specification(spec, &after);
	SpinLockAcquire(&state->lock);
	before = *state;
	if (!ask)
		arm(&after);
	SpinLockRelease(&state->lock);
	PG_RETURN_TEXT_P(cstring_to_text(before.armed ? psprintf("%s:%s:%d:%d", before.name, action_names[before.action], before.nth, before.ms) : ""));
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_test_clock);

/* clock(seconds): from now on the clock of all processes of ours is so much ahead (behind: less than 0). */
Datum
wf_sql_test_clock(PG_FUNCTION_ARGS)
{
	state->clock_offset_us = (int64) (PG_GETARG_FLOAT8(0) * 1e6);
	wf_wake_keeper_at_commit(wf_clock_now());
	PG_RETURN_VOID();
}

/* Comes to a point, for tests of the points themselves, and for statements that are to die in the middle. */
Datum
wf_sql_test_fault_reach(PG_FUNCTION_ARGS)
{
	WF_FAULT(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	PG_RETURN_VOID();
}

#endif
