/*
 * emit.c: runs that events start (trigger.event).
 *
 * 1. Whoever emits an event starts, in the same transaction, a run of each trigger of the tenant that is for it and whose
 *    condition holds. A condition that fails is that trigger's trouble: it is noted for wf_triggers, and the event goes on to the
 *    others. What else keeps a run from being started (a role that may not, no workers, triggers that start each
 *    other) is the emitter's: it is thrown.
 * 2. With `debounce` the event is put off (store/debounce.c). The rights were the emitter's then, and are not asked
 *    for again: the keeper starts one run for those of a correlation, as the last emitter, when the last one is due.
 * 3. A trigger that does not fire any more then, or is not for that event, or has no debounce now, lets them go. Else it is
 *    the version that is active by then which runs.
 * 4. A run that cannot be started by the keeper is noted as above. Only when somebody has locked what it needs is it tried
 *    again.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/fired.h"
#include "base/subtransaction.h"
#include "engine/listen.h"
#include "engine/start.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

#define AGAIN_US (50 * INT64CONST(1000))	/* a burst that another keeper has */
#define BUSY_AGAIN_US (INT64CONST(1000) * 1000)	/* one whose run could not be started, since something was locked */

static void
fill_row(const TriggerNode *trigger, WfTriggerRow *row)
{
	JsonbValue	config;

	wf_json_root(trigger->node->config, &config);
	row->event = wf_json_get_cstring(&config, "event");
}

const TriggerKind wf_trigger_event_kind = {.type = "trigger.event", .fill = fill_row};

/* `$trigger` */
static Jsonb *
event_input(const char *event, const Jsonb *payload, const char *correlation, int64 count)
{
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	wf_json_put_field_cstring(w, "event", event);
	wf_json_put_member(w, "payload", payload);
	wf_json_put_field_cstring(w, "correlation", correlation);
	wf_json_put_field_int64(w, "count", count);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

/* -- the condition -- */

/* A condition to be tested. */
typedef struct Question
{
	const Listener *listener;
	Jsonb	   *input;
	bool		holds;
} Question;

static void
test(void *arg)
{
	Question   *question = arg;

	question->holds = wf_expr_test(question->listener->condition, wf_start_scope(question->input));
}

static bool
holds(const Listener *listener, Jsonb *input)
{
	const WfTriggerRow *row = &listener->row;
	Question	question = {listener, input, false};
	ErrorData  *error;

	if (listener->condition_source == NULL)
		return true;
	if (listener->condition == NULL)
	{
		wf_fired_failed(&row->tenant_id, &row->trigger_id, unpack_sql_state(WF_ERRCODE_DEFINITION_INVALID),
						"\"condition\" does not compile any more");
		return false;
	}
	error = wf_subtransaction(test, &question);
	if (error != NULL)
	{
		wf_fired_failed(&row->tenant_id, &row->trigger_id, unpack_sql_state(error->sqlerrcode), error->message);
		FreeErrorData(error);
	}
	return question.holds;
}

/* -- emitting -- */

static void
put_off(const Listener *listener, const WfEvent *event)
{
	WfBurst		burst = {0};

	burst.tenant_id = listener->row.tenant_id;
	burst.trigger_id = listener->row.trigger_id;
	burst.event_id = event->event_id;
	burst.event = event->event;
	burst.correlation = event->correlation;
	burst.n = 1;
	burst.emitted_at = event->emitted_at;
	burst.due_at = TimestampTzPlusMilliseconds(event->emitted_at, listener->debounce_ms);
	burst.role = GetUserId();
	burst.chain = wf_engine_may_fire(&listener->row);
	burst.payload = event->payload;
	wf_store_put_burst(&burst);
}

int
wf_engine_emit(const WfTenant *tenant, const WfEvent *event)
{
	List	   *listeners = wf_listeners_of_event(&tenant->tenant_id, event->event);
	WfFire		how = {.correlation_id = event->correlation, .started_by = GetUserId()};
	Jsonb	   *input;
	ListCell   *cell;
	int			n = 0;

	if (listeners == NIL)
		return 0;
	input = event_input(event->event, event->payload, event->correlation, 1);
	foreach(cell, listeners)
	{
		const Listener *listener = lfirst(cell);
		WfStarted	started;

		CHECK_FOR_INTERRUPTS();
		if (!holds(listener, input))
			continue;
		if (listener->debounce_ms > 0)
		{
			put_off(listener, event);
			continue;
		}
		wf_engine_fire(&listener->row, &how, &input, 1, &started);
		n += started.is_skipped || started.is_earlier ? 0 : 1;
	}
	return n;
}

/* -- the keeper's part -- */

static bool
still_fires(const WfTriggerRow *row, const WfBurst *burst)
{
	Listener	listener;

	if (row == NULL || !row->installed || row->event == NULL || strcmp(row->event, burst->event) != 0)
		return false;
	wf_listener_read(&listener, row);
	return listener.debounce_ms > 0;
}

/* A run to be started for a burst. */
typedef struct Start
{
	const WfTriggerRow *row;
	const WfBurst *burst;
} Start;

static void
start(void *arg)
{
	const WfBurst *burst = ((Start *) arg)->burst;
	WfFire		how = {.role = burst->role, .started_by = burst->role, .correlation_id = burst->correlation, .chain = burst->chain};
	Jsonb	   *input = event_input(burst->event, burst->payload, burst->correlation, burst->n);
	WfStarted	started;

	wf_engine_fire(((Start *) arg)->row, &how, &input, 1, &started);
}

/* Starts the run, or notes why not; false: something that it needs is locked. */
static bool
start_burst(const WfTriggerRow *row, const WfBurst *burst)
{
	Start		what = {row, burst};
	ErrorData  *error = wf_subtransaction(start, &what);
	bool		is_locked;

	if (error == NULL)
		return true;
	is_locked = error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE || error->sqlerrcode == ERRCODE_T_R_DEADLOCK_DETECTED;
	ereport(LOG, (errmsg("trigger \"%s\" of workflow \"%s\" could not start a run for " INT64_FORMAT " events",
						 row->node, row->workflow, burst->n),
				  errdetail("%s", error->message)));
	FreeErrorData(error);
	return !is_locked;
}

/* False: somebody else has it. */
static bool
settle_burst(WfBurst *burst, TimestampTz now)
{
	const WfTriggerRow *row;
	bool		is_locked;

	if (!wf_store_take_burst(burst, &is_locked))
		return !is_locked;
	WF_FAULT("debounce.taken");
	if (burst->due_at > now)
	{
		wf_store_put_burst(burst);	/* not quiet yet: one row for all */
		return true;
	}
	row = wf_store_find_trigger_id(&burst->tenant_id, &burst->trigger_id);
	if (still_fires(row, burst) && !start_burst(row, burst))
	{
		burst->due_at = now + BUSY_AGAIN_US;
		wf_store_put_burst(burst);
	}
	WF_FAULT("debounce.started");
	return true;
}

int
wf_engine_fire_bursts(TimestampTz now, int most, TimestampTz *next)
{
	bool		some_are_left = false;
	int			n = 0;
	ListCell   *cell;

	foreach(cell, wf_store_due_bursts(now, most))
	{
		if (settle_burst(lfirst(cell), now))
			n++;
		else
			some_are_left = true;
	}
	*next = wf_store_next_burst();
	if (some_are_left && *next != 0)
		*next = Max(*next, now + AGAIN_US);
	return n;
}
