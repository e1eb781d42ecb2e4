/*
 * mail.c: what comes to a run from outside, and what it says to others.
 *
 * Signals are addressed to a run and kept with it until it asks. Events are addressed to nobody: a run that begins to
 * wait looks into the buffer for one that came shortly before. It remembers which it has got, so that a loop that waits
 * again does not get the same one again.
 */
#include "postgres.h"

#include "base/fault.h"
#include "base/wake.h"
#include "catalog/pg_type.h"
#include "engine/mail.h"
#include "engine/start.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#define SEEN_MOST 1000			/* the oldest are forgotten: the buffer has them no more */

Jsonb *
wf_mail_object1(const char *key, const JsonbValue *value)
{
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	wf_json_put_field(w, key, value);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

/* -- signals -- */

/* The kept signals without the one at `without` (-1: all), and with `more` (NULL: nothing). */
static Jsonb *
signals_with(const Jsonb *signals, int without, const Jsonb *more)
{
	WfJsonWriter *w = wf_json_writer_begin();
	JsonbValue	root;
	JsonbValue	value;

	wf_json_begin_array(w);
	if (signals != NULL)
	{
		wf_json_root(signals, &root);
		for (uint32 i = 0; i < wf_json_count(&root); i++)
			if ((int) i != without && wf_json_element(&root, i, &value))
				wf_json_put(w, &value);
	}
	if (more != NULL)
		wf_json_put_jsonb(w, more);
	wf_json_end_array(w);
	return wf_json_finish(w);
}

void
wf_mail_keep_signal(Run *run, const Jsonb *signal)
{
	MemoryContext old = MemoryContextSwitchTo(run->memory);

	run->signals = signals_with(run->signals, -1, signal);
	MemoryContextSwitchTo(old);
}

bool
wf_mail_take_signal(Run *run, const char *event, JsonbValue *payload)
{
	JsonbValue	root;
	JsonbValue	signal;
	MemoryContext old;

	if (run->signals == NULL)
		return false;
	wf_json_root(run->signals, &root);
	for (uint32 i = 0; i < wf_json_count(&root); i++)
	{
		char	   *name;

		(void) wf_json_element(&root, i, &signal);
		name = wf_json_get_cstring(&signal, "event");
		if (name == NULL || strcmp(name, event) != 0)
			continue;
		if (!wf_json_field(&signal, "payload", payload))
			wf_json_set_null(payload);
		old = MemoryContextSwitchTo(run->memory);
		run->signals = signals_with(run->signals, (int) i, NULL);
		MemoryContextSwitchTo(old);
		return true;
	}
	return false;
}

/* -- events -- */

bool
wf_mail_see_event(Run *run, const char *event_id)
{
	ListCell   *cell;
	MemoryContext old;

	foreach(cell, run->seen_events)
		if (strcmp(lfirst(cell), event_id) == 0)
			return false;
	old = MemoryContextSwitchTo(run->memory);
	run->seen_events = lappend(run->seen_events, pstrdup(event_id));
	if (list_length(run->seen_events) > SEEN_MOST)
		run->seen_events = list_delete_first(run->seen_events);
	MemoryContextSwitchTo(old);
	return true;
}

static ArrayType *
seen_array(const Run *run)
{
	Datum	   *ids = palloc(sizeof(Datum) * Max(list_length(run->seen_events), 1));
	ListCell   *cell;
	int			n = 0;

	foreach(cell, run->seen_events)
		ids[n++] = CStringGetTextDatum((char *) lfirst(cell));
	return construct_array(ids, n, TEXTOID, -1, false, TYPALIGN_INT);
}

bool
wf_mail_has_come(Run *run, const char *event, const char *correlation, JsonbValue *payload)
{
	pg_uuid_t	event_id;
	Jsonb	   *json;

	if (wf_mail_take_signal(run, event, payload))
		return true;
	if (!wf_store_find_event(&run->tenant.tenant_id, event, correlation, seen_array(run), &event_id, &json))
		return false;
	(void) wf_mail_see_event(run, wf_engine_uuid_text(&event_id));
	WF_FAULT("mail.event_found");
	wf_json_root(json, payload);
	return true;
}

/* -- to others -- */

bool
wf_mail_send_cancel(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id, const char *reason)
{
	WfRunKey	key;
	WfMessage	message;
	JsonbValue	value;

	if (!wf_store_is_alive(tenant_id, run_id, &key))
		return false;
	message = wf_store_message(tenant_id, &key, WF_MESSAGE_CANCEL);
	message.priority = 1001;	/* before everything else of the role */
	if (reason != NULL)
	{
		wf_json_set_string(&value, reason, strlen(reason));
		message.payload = wf_json_copy(&value);
	}
	wf_store_send(&message, 1);
	WF_FAULT("mail.cancel");
	wf_wake_interrupt_at_commit(run_id);
	return true;
}

void
wf_mail_cancel(Run *run, const pg_uuid_t *child)
{
	(void) wf_mail_send_cancel(&run->tenant.tenant_id, child, "the run that started it does not need it any more");
}

void
wf_mail_tell_parent(Run *run, const char *status, const Jsonb *output, const Jsonb *error)
{
	const RunParent *parent = &run->parent;
	const WfRunKey key = {parent->run_id, parent->role, parent->priority};
	WfMessage	message = wf_store_message(&run->tenant.tenant_id, &key, WF_MESSAGE_CHILD);
	WfJsonWriter *w;

	if (!run->has_parent || parent->step == 0)
		return;
	w = wf_json_writer_begin();
	wf_json_begin_object(w);
	wf_json_put_field_cstring(w, "run_id", wf_engine_uuid_text(&run->run_id));
	wf_json_put_field_int64(w, "region", parent->region);
	wf_json_put_field_int64(w, "index", parent->index);
	wf_json_put_field_cstring(w, "status", status);
	wf_json_put_member(w, "output", output);
	wf_json_put_member(w, "error", error);
	wf_json_end_object(w);
	message.step = parent->step;
	message.payload = wf_json_finish(w);
	wf_store_send(&message, 1);
}
