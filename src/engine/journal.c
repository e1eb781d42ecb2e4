/*
 * journal.c: the record of a segment.
 *
 * Each ended step becomes a wf.step composite in journal memory at once, so that outputs may be freed
 * (a loop's, at its next iteration) without the journal losing them; the array is written with one
 * insert when the segment ends. A failed run's steps survive the rollback of its data because this memory
 * does.
 *
 * An input that is another step's output is not stored again: the entry names the step (input_from), and
 * the view wf_steps looks there. Only joined inputs and items of loops are stored.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/settings.h"
#include "catalog/pg_type.h"
#include "engine/journal.h"
#include "engine/personal.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#define INITIAL_STEPS 32

char *
wf_engine_timestamp_text(TimestampTz time)
{
	char	   *text = palloc(MAXDATELEN + 1);

	return JsonEncodeDateTime(text, TimestampTzGetDatum(time), TIMESTAMPTZOID, NULL);
}

int
wf_journal_next(Run *run)
{
	if (run->n_steps >= wf_setting_max_iterations)
		ereport(ERROR, (errcode(WF_ERRCODE_LIMIT_EXCEEDED),
						errmsg("run has more than %d steps", wf_setting_max_iterations),
						errhint("Look for a loop that does not end; the setting \"workflow.max_iterations\" has the limit.")));
	return ++run->n_steps;
}

static ArrayType *
log_array(List *log)
{
	Datum	   *lines;
	ListCell   *cell;
	int			n = 0;

	if (log == NIL)
		return NULL;
	lines = palloc(sizeof(Datum) * list_length(log));
	foreach(cell, log)
		lines[n++] = CStringGetTextDatum((char *) lfirst(cell));
	return construct_array(lines, n, TEXTOID, -1, false, TYPALIGN_INT);
}

/* An entry as JSON for the trace of a dry run. */
static Jsonb *
trace_of(Run *run, const JournalEntry *entry, const WfStepRow *row)
{
	WfJsonWriter *w = wf_json_writer_begin();
	ListCell   *cell;

	wf_json_begin_object(w);
	wf_json_put_field_int64(w, "seq", row->seq);
	wf_json_put_field_cstring(w, "node", row->node);
	wf_json_put_field_cstring(w, "path", row->path);
	wf_json_put_field_cstring(w, "type", row->type);
	wf_json_put_field_cstring(w, "status", row->status);
	wf_json_put_field_cstring(w, "port", row->port);
	wf_json_put_field_int64(w, "attempt", row->attempt);
	if (entry->input != NULL)
		wf_json_put_field(w, "input", entry->input);
	wf_json_key(w, "output", 6);
	if (row->output != NULL)
		wf_json_put_jsonb(w, row->output);
	else
		wf_json_put_null(w);
	wf_json_key(w, "error", 5);
	if (row->error != NULL)
		wf_json_put_jsonb(w, row->error);
	else
		wf_json_put_null(w);
	wf_json_key(w, "duration_ms", strlen("duration_ms"));
	{
		JsonbValue	ms;

		ms.type = jbvNumeric;
		ms.val.numeric = DatumGetNumeric(DirectFunctionCall1(float8_numeric, Float8GetDatum(row->duration_us / 1000.0)));
		wf_json_put(w, &ms);
	}
	if (entry->log != NIL)
	{
		wf_json_key(w, "log", 3);
		wf_json_begin_array(w);
		foreach(cell, entry->log)
			wf_json_put_cstring(w, lfirst(cell));
		wf_json_end_array(w);
	}
	wf_json_put_member(w, "wrote", entry->wrote);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

/* Makes room for step `seq`. */
static void
reserve(Run *run, int seq)
{
	int			size = run->steps_size == 0 ? INITIAL_STEPS : run->steps_size;

	if (seq <= run->steps_size)
		return;
	while (size < seq)
		size *= 2;
	if (run->steps == NULL)
	{
		run->steps = MemoryContextAllocExtended(run->journal_memory, sizeof(Datum) * size, MCXT_ALLOC_HUGE);
		if (run->mode == WF_RUN_DRY)
			run->trace = MemoryContextAllocExtended(run->journal_memory, sizeof(Jsonb *) * size, MCXT_ALLOC_HUGE);
	}
	else
	{
		run->steps = repalloc_huge(run->steps, sizeof(Datum) * size);
		if (run->trace != NULL)
			run->trace = repalloc_huge(run->trace, sizeof(Jsonb *) * size);
	}
	memset(run->steps + run->steps_size, 0, sizeof(Datum) * (size - run->steps_size));
	if (run->trace != NULL)
		memset(run->trace + run->steps_size, 0, sizeof(Jsonb *) * (size - run->steps_size));
	run->steps_size = size;
}

/* Tokens for what is personal in the step. */
static void
hide_step(Run *run, WfStepRow *row, List **log)
{
	List	   *lines = NIL;
	ListCell   *cell;
	Size		before = wf_pii_bytes(run->pii);

	row->input = wf_personal_hide(run, row->input);
	row->output = wf_personal_hide(run, row->output);
	row->error = wf_personal_hide(run, row->error);
	foreach(cell, *log)
		lines = lappend(lines, wf_personal_hide_text(run, lfirst(cell)));
	*log = lines;
	run->journal_bytes += wf_pii_bytes(run->pii) - before;	/* it is a part of the journal, though it is elsewhere */
}

void
wf_journal_add(Run *run, const JournalEntry *entry)
{
	MemoryContext old;
	WfStepRow	row;
	List	   *log;
	Datum		step;

	if (run->mode != WF_RUN_DRY &&
		(run->journal == WF_JOURNAL_NONE || (run->journal == WF_JOURNAL_ERRORS && (run->mode == WF_RUN_RAISE || run->mode == WF_RUN_TRIGGER))))
		return;
	if (run->journal_full && run->error == NULL)
		return;
	if (entry->seq >= run->first_seq)
		reserve(run, entry->seq - run->first_seq + 1);
	old = MemoryContextSwitchTo(run->journal_memory);
	row.seq = entry->seq;
	row.node = entry->node->id;
	row.path = entry->path[0] == '\0' ? entry->node->id : psprintf("%s%s", entry->path, entry->node->id);
	row.type = entry->node->type;
	row.status = entry->status;
	row.port = entry->port;
	row.attempt = entry->attempt;
	/* an output of an earlier segment is not in this one's row */
	row.input_from = entry->input_from > 0 && entry->input_from < run->first_seq ? -1 : entry->input_from;
	row.input = row.input_from < 0 && entry->input != NULL ? wf_json_copy(entry->input) : NULL;
	row.output = entry->output;
	row.error = entry->error;
	row.started_at = entry->started_at;
	row.duration_us = wf_clock_now() - entry->started_at;
	log = entry->log;
	if (run->is_personal && run->mode != WF_RUN_DRY)
		hide_step(run, &row, &log);
	row.log = log_array(log);
	step = wf_store_form_step(&row);
	run->journal_bytes += VARSIZE_ANY(DatumGetPointer(step));
	if (entry->seq < run->first_seq)
		run->earlier_steps = lappend(run->earlier_steps, DatumGetPointer(step));
	else
		run->steps[entry->seq - run->first_seq] = step;
	if (run->mode == WF_RUN_DRY)
		run->trace[entry->seq - run->first_seq] = trace_of(run, entry, &row);
	if (row.input != NULL)
		pfree(row.input);
	if (row.path != entry->node->id)
		pfree(unconstify(char *, row.path));
	MemoryContextSwitchTo(old);
	run->journal_full = run->journal_bytes / 1024 > (Size) wf_setting_max_journal_size;
	/* a run that failed notes the few steps that were open all the same */
	if (run->journal_full && run->error == NULL)
		ereport(ERROR, (errcode(WF_ERRCODE_LIMIT_EXCEEDED),
						errmsg("journal of the run exceeds %d kB", wf_setting_max_journal_size),
						errhint("Set the workflow's \"journal\" to \"errors\" or \"none\", or raise \"workflow.max_journal_size\".")));
}

/* The ended steps: first those that began in earlier segments, then the others by their number, without the gaps that
 * steps without an end leave. */
static int
gather(Run *run, Datum **steps)
{
	int			n_earlier = list_length(run->earlier_steps);
	int			n_own = Min(run->n_steps - run->first_seq + 1, run->steps_size);
	ListCell   *cell;
	int			n = 0;

	*steps = run->steps;
	if (n_earlier > 0)
	{
		*steps = MemoryContextAllocHuge(run->journal_memory, sizeof(Datum) * (n_earlier + n_own));
		foreach(cell, run->earlier_steps)
			(*steps)[n++] = PointerGetDatum(lfirst(cell));
	}
	for (int i = 0; i < n_own; i++)
		if (run->steps[i] != 0)
			(*steps)[n++] = run->steps[i];
	return n;
}

static void
write_steps(Run *run, const char *status, bool failed)
{
	WfSegmentRow row = {0};

	if (run->journal == WF_JOURNAL_NONE || (run->journal == WF_JOURNAL_ERRORS && !failed))
		return;
	row.tenant_id = run->tenant.tenant_id;
	row.run_id = run->run_id;
	row.segment = run->segment;
	row.attempt = run->attempt;
	row.first_seq = run->first_seq;
	row.started_at = run->segment_started_at;
	row.finished_at = wf_clock_now();
	row.status = status;
	row.n_steps = gather(run, &row.steps);
	wf_store_insert_segment(&row);
}

void
wf_journal_write_segment(Run *run, const char *status, bool failed)
{
	write_steps(run, status, failed);
	wf_personal_save(run);
}

void
wf_journal_write(Run *run, const char *status, Jsonb *output, Jsonb *error)
{
	WfRunRow	row = {0};

	row.tenant_id = run->tenant.tenant_id;
	row.run_id = run->run_id;
	row.workflow_id = run->workflow_id;
	row.version = run->version;
	row.status = status;
	row.trigger = run->trigger;
	row.input = run->is_personal ? wf_personal_hide(run, run->input) : run->input;
	row.output = run->is_personal ? wf_personal_hide(run, output) : output;
	row.error = run->is_personal ? wf_personal_hide(run, error) : error;
	row.correlation_id = run->options.correlation_id;
	row.tags = run->options.tags;
	row.idempotency_key = run->options.idempotency_key;
	row.parent_run_id = run->has_parent ? &run->parent.run_id : NULL;
	row.started_by = run->started_by;
	row.attempt = run->attempt;
	row.queued_at = run->queued_at;
	row.started_at = run->started_at;
	row.finished_at = wf_clock_now();
	wf_store_insert_run(&row);
	wf_journal_write_segment(run, status, error != NULL);
}

Jsonb *
wf_journal_trace(const Run *run)
{
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_array(w);
	for (int i = 0; i < run->n_steps - run->first_seq + 1 && i < run->steps_size; i++)
		if (run->trace[i] != NULL)
			wf_json_put_jsonb(w, run->trace[i]);
	wf_json_end_array(w);
	return wf_json_finish(w);
}
