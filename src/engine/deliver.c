/*
 * deliver.c: giving messages to the steps that wait for them.
 *
 * A message that is late or comes twice finds a step that does not wait for it any more, and is dropped; a signal is kept
 * until the run asks for it. What was delivered is noted by whoever begins the segment (turn.c), which deletes it.
 */
#include "postgres.h"

#include "engine/again.h"
#include "engine/attempt.h"
#include "engine/deadline.h"
#include "engine/failure.h"
#include "engine/frame.h"
#include "engine/mail.h"
#include "engine/park.h"
#include "engine/start.h"
#include "engine/step.h"
#include "engine/turn.h"
#include "utils/memutils.h"

/* Goes on until the run has ended or is suspended again, at its top. */
static void
advance(Run *run)
{
	wf_step_advance(run);
	while (run->suspended && run->activation != run->root)
		wf_activation_leave(run->activation);
}

void
wf_turn_resume(Run *run, Frame *frame, OpenStep *step, WfReply *reply)
{
	bool		retries = step->waits == STEP_RETRY;

	run->suspended = false;
	run->moved = true;
	MemoryContextReset(run->step_memory);
	MemoryContextSwitchTo(run->step_memory);
	wf_store_delete_wait(&run->tenant.tenant_id, &run->run_id, step->seq);
	wf_park_go_to(run, frame, step);
	if (retries)
	{
		step->attempt++;
		run->retry = true;
	}
	else
		wf_step_perform(run, frame, reply);
	advance(run);
}

void
wf_turn_go_on(Run *run)
{
	run->suspended = false;
	run->moved = true;
	advance(run);
}

/* A deadline around the step has passed, or its own. */
static void
time_out_step(Run *run, Frame *frame, OpenStep *step)
{
	Failure		failure;

	run->suspended = false;
	run->moved = true;
	MemoryContextReset(run->step_memory);
	MemoryContextSwitchTo(run->step_memory);
	wf_park_withdraw(run, step);
	wf_park_go_to(run, frame, step);
	if (!wf_attempt_deadline(run, frame, &failure))
		elog(ERROR, "no deadline of step %d has passed", step->seq);
	wf_handle_failure(run, frame, &failure);
	advance(run);
}

/* Whether a deadline that is not the step's own wait has passed. */
static bool
deadline_passed(const Run *run, const Frame *frame, const OpenStep *step)
{
	return wf_deadline_is_past(run->deadline) || wf_deadline_is_past(frame->deadline) ||
		(step->waits != STEP_RETRY && wf_deadline_is_past(step->deadline));
}

static void
deliver_timer(Run *run, Frame *frame, OpenStep *step)
{
	WfReply		reply = {.region = -1};

	if (deadline_passed(run, frame, step))
	{
		time_out_step(run, frame, step);
		return;
	}
	if (!wf_deadline_is_past(step->wait_until))
	{
		/* too early: the clock was set back, or the wait was made anew */
		wf_park_put_wait(run, frame, step);
		return;
	}
	wf_json_set_null(&reply.output);
	if (step->waits != STEP_TIME && step->waits != STEP_RETRY)
	{
		reply.timed_out = true;
		wf_park_withdraw(run, step);
	}
	wf_turn_resume(run, frame, step, &reply);
}

/* The error that a child run or an external worker gave. */
static WfError *
stored_error(Run *run, const JsonbValue *json, const char *otherwise)
{
	MemoryContext old = MemoryContextSwitchTo(run->memory);
	WfError    *error = wf_error_make(WF_ERRCODE_NODE_FAILED, NULL, "%s", otherwise);
	JsonbValue	details;
	char	   *text;

	if (json != NULL && wf_json_is_object(json))
	{
		if ((text = wf_json_get_cstring(json, "message")) != NULL)
			error->message = text;
		if ((text = wf_json_get_cstring(json, "code")) != NULL)
			error->code = text;
		error->detail = wf_json_get_cstring(json, "detail");
		error->hint = wf_json_get_cstring(json, "hint");
		if (wf_json_field(json, "details", &details))
		{
			error->details = palloc(sizeof(JsonbValue));
			wf_json_root(wf_json_copy(&details), error->details);
		}
	}
	else if (json != NULL && json->type == jbvString)
		error->message = wf_json_cstring(json);
	if (wf_error_is_sqlstate(error->code))
		error->sqlstate = MAKE_SQLSTATE(error->code[0], error->code[1], error->code[2], error->code[3], error->code[4]);
	MemoryContextSwitchTo(old);
	return error;
}

/* What a child run's end says, as a reply. */
static void
read_child(Run *run, const JsonbValue *payload, WfReply *reply)
{
	JsonbValue	value;
	char	   *status = wf_json_get_cstring(payload, "status");
	int64		number;

	if (wf_json_field(payload, "index", &value) && wf_json_int64(&value, &number))
		reply->index = number;
	if (!wf_json_field(payload, "output", &reply->output))
		wf_json_set_null(&reply->output);
	if (status != NULL && strcmp(status, "completed") == 0)
		return;
	reply->failed = true;
	reply->error = stored_error(run, wf_json_field(payload, "error", &value) ? &value : NULL,
								psprintf("the child run ended as \"%s\"", status == NULL ? "failed" : status));
}

/* A child run that executed a region for the step. False: it is none of its. */
static bool
take_spawned(OpenStep *step, const JsonbValue *payload, int *region, TimestampTz *deadline)
{
	pg_uuid_t	run_id;
	ListCell   *cell;

	if (!wf_engine_uuid_read(wf_json_get_cstring(payload, "run_id"), &run_id))
		return false;
	foreach(cell, step->spawned)
	{
		Spawned    *spawned = lfirst(cell);

		if (memcmp(&spawned->run_id, &run_id, sizeof(run_id)) != 0)
			continue;
		*region = spawned->region;	/* of the version that the run has now */
		*deadline = spawned->deadline;
		step->spawned = foreach_delete_current(step->spawned, cell);
		return true;
	}
	return false;
}

/* The child failed since the time that its region had is up. */
static void
time_out_region(Run *run, const OpenStep *step, WfReply *reply)
{
	MemoryContext old = MemoryContextSwitchTo(run->memory);
	WfError    *error = wf_error_make(WF_ERRCODE_NODE_TIMEOUT, NULL, "node \"%s\" timed out", step->node->id);

	wf_attempt_place_error(error, step);
	reply->timed_out = true;
	reply->error = error;
	MemoryContextSwitchTo(old);
}

/* The child executed a part of this graph: the node that failed in it is known here. */
static void
name_node(const Frame *frame, const JsonbValue *payload, WfReply *reply)
{
	const WfGraph *graph = frame->activation->compiled->graph;
	WfError    *error = unconstify(WfError *, reply->error);
	JsonbValue	json;
	char	   *id;
	int			node;

	if (!wf_json_field(payload, "error", &json) || (id = wf_json_get_cstring(&json, "node")) == NULL)
		return;
	node = wf_graph_find(graph, id, strlen(id));
	if (node >= 0)
		error->node = graph->nodes[node].id;
}

static void
deliver_child(Run *run, Frame *frame, OpenStep *step, const JsonbValue *payload)
{
	WfReply		reply = {0};
	TimestampTz deadline = 0;
	int			region = -1;
	pg_uuid_t	run_id;

	if (step->waits == STEP_HOLDS && !take_spawned(step, payload, &region, &deadline))
		return;
	if (step->waits == STEP_CHILD &&
		(!wf_engine_uuid_read(wf_json_get_cstring(payload, "run_id"), &run_id) ||
		 memcmp(&run_id, &step->child, sizeof(run_id)) != 0))
		return;
	if (step->waits != STEP_HOLDS && step->waits != STEP_CHILD)
		return;
	read_child(run, payload, &reply);
	reply.region = region;
	if (reply.failed && step->waits == STEP_HOLDS)
		name_node(frame, payload, &reply);
	if (reply.failed && deadline_passed(run, frame, step))
	{
		/* which is why, for a child that executes a part of the graph */
		time_out_step(run, frame, step);
		return;
	}
	if (reply.failed && wf_deadline_is_past(deadline))
		time_out_region(run, step, &reply);
	wf_turn_resume(run, frame, step, &reply);
}

static void
deliver_task(Run *run, Frame *frame, OpenStep *step, const JsonbValue *payload)
{
	WfReply		reply = {.region = -1};
	JsonbValue	error;

	if (step->waits != STEP_TASK)
		return;
	if (!wf_json_field(payload, "result", &reply.output))
		wf_json_set_null(&reply.output);
	if (wf_json_field(payload, "failed", &error))
	{
		reply.failed = true;
		reply.error = stored_error(run, &error, "the task failed");
	}
	wf_turn_resume(run, frame, step, &reply);
}

static void
deliver_answer(Run *run, Frame *frame, OpenStep *step, const JsonbValue *payload)
{
	WfReply		reply = {.region = -1};
	pg_uuid_t	request_id;
	JsonbValue	error;

	/* an earlier attempt's, which was given up */
	if (step->waits != STEP_REQUEST || !wf_engine_uuid_read(wf_json_get_cstring(payload, "request_id"), &request_id) ||
		memcmp(&request_id, &step->child, sizeof(request_id)) != 0)
		return;
	if (!wf_json_field(payload, "result", &reply.output))
		wf_json_set_null(&reply.output);
	if (wf_json_field(payload, "failed", &error))
	{
		reply.failed = true;
		reply.error = stored_error(run, &error, "the request failed");
	}
	wf_turn_resume(run, frame, step, &reply);
}

static void
deliver_event(Run *run, Frame *frame, OpenStep *step, const JsonbValue *message)
{
	WfReply		reply = {.region = -1};
	char	   *event_id = wf_json_get_cstring(message, "event_id");

	if (step->waits != STEP_EVENT || (event_id != NULL && !wf_mail_see_event(run, event_id)))
		return;
	if (!wf_json_field(message, "payload", &reply.output))
		wf_json_set_null(&reply.output);
	wf_turn_resume(run, frame, step, &reply);
}

/* The first waiting step that a kept signal is for. */
typedef struct SignalSearch
{
	const char *event;
	Frame	   *frame;
	OpenStep   *step;
} SignalSearch;

static void
match_signal(Run *run, Frame *frame, OpenStep *step, void *arg)
{
	SignalSearch *search = arg;

	if (search->step == NULL && step->waits == STEP_EVENT && strcmp(step->event, search->event) == 0)
	{
		search->frame = frame;
		search->step = step;
	}
}

static void
deliver_signal(Run *run, const WfMessage *message)
{
	JsonbValue	root;
	SignalSearch search = {0};
	WfReply		reply = {.region = -1};

	wf_mail_keep_signal(run, message->payload);
	wf_json_root(message->payload, &root);
	search.event = wf_json_get_cstring(&root, "event");
	if (search.event == NULL)
		return;
	wf_park_each(run, match_signal, &search);
	if (search.step != NULL && wf_mail_take_signal(run, search.event, &reply.output))
		wf_turn_resume(run, search.frame, search.step, &reply);
}

void
wf_turn_deliver(Run *run, const WfMessage *message)
{
	JsonbValue	payload;
	Frame	   *frame;
	OpenStep   *step;

	if (message->payload != NULL)
		wf_json_root(message->payload, &payload);
	else
		wf_json_set_null(&payload);
	if (message->kind == WF_MESSAGE_SIGNAL)
	{
		deliver_signal(run, message);
		return;
	}
	step = wf_park_find(run, message->step, &frame);
	if (step == NULL)
		return;
	switch (message->kind)
	{
		case WF_MESSAGE_TIMER:
			if (step->waits != STEP_HOLDS)
				deliver_timer(run, frame, step);
			return;
		case WF_MESSAGE_EVENT:
			deliver_event(run, frame, step, &payload);
			return;
		case WF_MESSAGE_TASK:
			deliver_task(run, frame, step, &payload);
			return;
		case WF_MESSAGE_CHILD:
			deliver_child(run, frame, step, &payload);
			return;
		case WF_MESSAGE_REPLY:
			deliver_answer(run, frame, step, &payload);
			return;
		default:
			return;
	}
}

bool
wf_turn_is_in_order(const WfMessage *message)
{
	return message->kind != WF_MESSAGE_SIGNAL ||
		!wf_store_has_earlier(&message->tenant_id, &message->run_id, &message->message_id, WF_MESSAGE_SIGNAL);
}

void
wf_turn_deliver_all(Run *run, bool again)
{
	ListCell   *cell;

	if (run->suspended && !(again && wf_again_is_failed(run->message)))
		wf_turn_deliver(run, run->message);
	foreach(cell, run->batch)
	{
		WfMessage  *message = lfirst(cell);
		MemoryContext old;

		if (!run->suspended)
			return;
		if (message == run->message || message->is_taken ||
			memcmp(&message->run_id, &run->run_id, sizeof(pg_uuid_t)) != 0 ||
			memcmp(&message->tenant_id, &run->tenant.tenant_id, sizeof(pg_uuid_t)) != 0)
			continue;
		if (message->kind < WF_MESSAGE_TIMER || message->kind > WF_MESSAGE_CHILD || !wf_turn_is_in_order(message))
			continue;
		if (again && wf_again_is_failed(message))
			continue;
		old = MemoryContextSwitchTo(run->memory);
		run->delivered = lappend(run->delivered, message);
		MemoryContextSwitchTo(old);
		wf_turn_deliver(run, message);
	}
}
